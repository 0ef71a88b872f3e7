"""One step of the longest pack on all GPUs of a size: python -m slurm.preflight SIZE.

The way is the way of the training: fit nodes, rendezvous, load, step, save, collect. That it fits
into memory is seen here and not hours later.
"""

import sys
from pathlib import Path

import datasets
import msgspec

from slurm import dry, launch, ready, sizes
from trajectory.records import BadInput

FOLDER = Path("scratch/preflight")


def longest(packs: Path, rows: int, target: Path) -> int:
    """Write the longest pack `rows` times, which is one step; its tokens."""
    datasets.disable_progress_bars()
    every = datasets.Dataset.from_parquet(str(packs), cache_dir=str(FOLDER / "cache"))
    lengths = [len(ids) for ids in every["ids"]]
    index = lengths.index(max(lengths))
    every.select([index] * rows).to_parquet(str(target))
    return max(lengths)


def main(name: str) -> int:
    ready.main(Path(name))
    size, train = sizes.load(name), dry.job(name)
    packs, *others = train.inputs
    if not packs.exists():
        raise BadInput(f"{packs}: not there; `dvc repro slurm/dvc.yaml:render@{name}` makes it")
    FOLDER.mkdir(parents=True, exist_ok=True)
    worst = FOLDER / f"{name}.parquet"
    tokens = longest(packs, sizes.section(size, "train")["batch"], worst)
    print(f"preflight of {name}: one step of packs of {tokens} tokens", flush=True)
    outputs = tuple(FOLDER / path for path in train.outputs)
    return launch.launch(
        msgspec.structs.replace(train, inputs=(worst, *others), outputs=outputs), size
    )


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except BadInput as error:
        sys.exit(f"error: {error}")
