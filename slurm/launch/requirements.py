"""Is everything there that a size needs? One line says what is missing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from slurm.launch import slurm_commands
from slurm.sizing import sizes
from slurm.sizing.sizes import Size


def missing_cluster_parts() -> Iterator[str]:
    if os.environ.get("CLUSTER") != "slurm":
        yield "CLUSTER=slurm, best in slurm/cluster.env (see slurm/cluster.env.example)"
    if not shutil.which("sbatch"):
        yield "Slurm: no sbatch on PATH"


def missing_size_parts(name: str, size: Size) -> Iterator[str]:
    yield from missing_cluster_parts()
    if not sizes.is_recipe_chosen():  # `make train` makes the data of the recipe that is chosen
        yield f"the recipe {sizes.RECIPE} (make recipe NAME={sizes.RECIPE})"
    if size.hub and not size.revision and not Path(f"models/{name}/base").exists():
        yield sizes.describe_missing_revision(name, size)


def require_cluster() -> None:
    """Raises BadInput if there is no cluster, or if a name in its environment needs quoting."""
    slurm_commands.build_environment()
    if missing := list(missing_cluster_parts()):
        raise BadInput(f"this needs a Slurm cluster; missing here: {'; '.join(missing)}")


def require_size(name: str, size: Size) -> None:
    """Raises BadInput if anything is missing that the size needs."""
    slurm_commands.build_environment()
    if missing := list(missing_size_parts(name, size)):
        raise BadInput(
            f"SIZE={name} needs {size.nodes} x {size.gpus} GPUs of a Slurm cluster; missing here: "
            + "; ".join(missing)
        )


def main(name: Path) -> None:
    require_size(str(name), sizes.load(str(name)))


if __name__ == "__main__":
    cli.run(main)
