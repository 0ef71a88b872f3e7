"""Is all there that a size needs? Says what is missing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from slurm.launch import queue
from slurm.sizing import sizes
from slurm.sizing.sizes import PARAMS, Size


def without() -> Iterator[str]:
    """What there is not of a cluster."""
    if os.environ.get("CLUSTER") != "slurm":
        yield "CLUSTER=slurm, best in slurm/cluster.env (see slurm/cluster.env.example)"
    if not shutil.which("sbatch"):
        yield "Slurm: no sbatch on PATH"


def cluster() -> None:
    """Raises BadInput where there is none, or where its names need quoting."""
    queue.environment()
    if lacking := list(without()):
        raise BadInput(f"this needs a Slurm cluster; missing here: {'; '.join(lacking)}")


def missing(name: str, size: Size) -> Iterator[str]:
    yield from without()
    if size.hub and not size.revision and not Path(f"models/{name}/base").exists():
        line = yaml_records.line_of(PARAMS, ["models", name, "revision"])
        yield (
            f"{PARAMS}:{line}: the commit of {size.hub} to start from, 40 hex digits, which"
            f" `hf models info {size.hub}` shows as sha where the hub is reachable"
        )


def main(name: Path) -> None:
    size = sizes.load(str(name))
    queue.environment()
    lacking = list(missing(str(name), size))
    if lacking:
        raise BadInput(
            f"SIZE={name} needs {size.nodes} x {size.gpus} GPUs of a Slurm cluster; missing here: "
            + "; ".join(lacking)
        )


if __name__ == "__main__":
    cli.run(main)
