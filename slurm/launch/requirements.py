"""Is all there that a size needs? Says what is missing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from slurm.launch import slurm_commands
from slurm.sizing import sizes
from slurm.sizing.sizes import PARAMS, Size


def missing_cluster_parts() -> Iterator[str]:
    """What there is not of a cluster."""
    if os.environ.get("CLUSTER") != "slurm":
        yield "CLUSTER=slurm, best in slurm/cluster.env (see slurm/cluster.env.example)"
    if not shutil.which("sbatch"):
        yield "Slurm: no sbatch on PATH"


def require_cluster() -> None:
    """Raises BadInput where there is none, or where its names need quoting."""
    slurm_commands.build_environment()
    if lacking := list(missing_cluster_parts()):
        raise BadInput(f"this needs a Slurm cluster; missing here: {'; '.join(lacking)}")


def missing_requirements(name: str, size: Size) -> Iterator[str]:
    yield from missing_cluster_parts()
    if size.hub and not size.revision and not Path(f"models/{name}/base").exists():
        line = yaml_records.find_line(PARAMS, ["models", name, "revision"])
        yield (
            f"{PARAMS}:{line}: the commit of {size.hub} to start from, 40 hex digits, which"
            f" `hf models info {size.hub}` shows as sha where the hub is reachable"
        )


def main(name: Path) -> None:
    size = sizes.load(str(name))
    slurm_commands.build_environment()
    lacking = list(missing_requirements(str(name), size))
    if lacking:
        raise BadInput(
            f"SIZE={name} needs {size.nodes} x {size.gpus} GPUs of a Slurm cluster; missing here: "
            + "; ".join(lacking)
        )


if __name__ == "__main__":
    cli.run(main)
