"""Is everything there that a size needs? One line says what is missing."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from slurm.launch import slurm_commands
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

# What a stage that answers by vLLM imports besides.
VLLM_MODULES = ("vllm", "torch", "msgspec", "yaml", "jinja2", "tokenizers")


def missing_cluster_parts() -> Iterator[str]:
    if os.environ.get("CLUSTER") != "slurm":
        yield "CLUSTER=slurm, best in slurm/cluster.env (see slurm/cluster.env.example)"
    if not shutil.which("sbatch"):
        yield "Slurm: no sbatch on PATH"


def missing_size_parts(name: str, size: Size) -> Iterator[str]:
    local = os.environ.get("CLUSTER") == "local"
    if not local:
        yield from missing_cluster_parts()
    elif size.nodes > 1:
        yield f"Slurm: CLUSTER=local is one machine, and {name} trains on {size.nodes} nodes"
    if not sizes.is_recipe_chosen(size):  # `make train` makes the data of the recipe that is chosen
        yield f"the recipe {size.recipe} (make recipe NAME={size.recipe})"
    if size.hub and not size.revision and not Path(f"models/{name}/base").exists():
        yield sizes.describe_missing_revision(name, size)
    if sizes.uses_vllm(size) and (problem := find_vllm_problem()):
        yield problem


def find_vllm_problem() -> str | None:
    """Why vLLM cannot answer, said before a training and not after it; None if it can."""
    python = os.environ.get("VLLM_PYTHON")
    how = "docs/cluster.md says how to make it; or choose predict.engine: transformers for the size"
    if not python:
        return f"VLLM_PYTHON in slurm/cluster.env, the Python of an environment with vLLM ({how})"
    prefix = shlex.split(os.environ.get("LAUNCH_PREFIX", ""))
    command = [*prefix, python, "-c", "import " + ", ".join(VLLM_MODULES)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"VLLM_PYTHON={python}: {error.strerror} ({how})"
    if done.returncode:
        said = done.stderr.strip() or f"exit status {done.returncode}"
        return f"VLLM_PYTHON={python}: {said.splitlines()[-1]} ({how})"
    return None


def require_cluster() -> None:
    """Raises BadInput if there is no cluster, or if a name in its environment needs quoting."""
    slurm_commands.build_environment()
    if missing := list(missing_cluster_parts()):
        raise BadInput(f"this needs a Slurm cluster; missing here: {'; '.join(missing)}")


def require_size(name: str, size: Size) -> None:
    """Raises BadInput if anything is missing that the size needs."""
    slurm_commands.build_environment()
    where = "" if os.environ.get("CLUSTER") == "local" else " of a Slurm cluster"
    if missing := list(missing_size_parts(name, size)):
        raise BadInput(
            f"SIZE={name} needs {size.nodes} x {size.gpus} GPUs{where}; missing here: "
            + "; ".join(missing)
        )


def main(name: Path) -> None:
    require_size(str(name), sizes.load(str(name)))


if __name__ == "__main__":
    cli.run(main)
