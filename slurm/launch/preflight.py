"""One optimiser step of the longest pack on all GPUs of a size: `make preflight SIZE=...`.

The way is the way of the training: nodes that are fit and alike, rendezvous, load, step, save,
collect. That it fits into memory is seen here and not hours later. A run that passed is removed:
the next preflight looks again.
"""

import shutil
import sys
from pathlib import Path

import datasets
import msgspec

from agent_tuning.records import BadInput
from slurm.launch import dry_run, launcher, requirements, run_folder
from slurm.launch.run_folder import Job
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

FOLDER = Path("scratch/preflight")


def write_longest_pack(packs: Path, rows: int, target: Path) -> int:
    """Write the longest pack `rows` times, which is one step; its tokens."""
    datasets.disable_progress_bars()
    every = datasets.Dataset.from_parquet(str(packs), cache_dir=str(FOLDER / "cache"))
    lengths = [len(ids) for ids in every["ids"]]
    index = lengths.index(max(lengths))
    every.select([index] * rows).to_parquet(str(target))
    return max(lengths)


def build_one_step_job(name: str, size: Size) -> tuple[Job, Size, int]:
    """The training of a size cut down to a step; with the tokens of its packs."""
    train = next(job for job in dry_run.jobs(name) if job.stage == "train")
    packs, *others = train.inputs
    if not packs.exists():
        raise BadInput(f"{packs}: not there; `dvc repro slurm/dvc.yaml:render@{name}` makes it")
    FOLDER.mkdir(parents=True, exist_ok=True)
    worst = FOLDER / f"{name}.parquet"
    tokens = write_longest_pack(packs, sizes.read_section(size, "train")["batch"], worst)
    train = msgspec.structs.replace(
        train,
        inputs=(worst, *others),
        outputs=tuple(FOLDER / path for path in train.outputs),
    )
    numbers = size.numbers | {"train": size.numbers.get("train", {}) | {"epochs": 1}}
    return train, msgspec.structs.replace(size, numbers=numbers), tokens


def main(name: str) -> int:
    requirements.main(Path(name))
    job, size, tokens = build_one_step_job(name, sizes.load(name))
    print(
        f"preflight of {name}: one step of packs of {tokens} tokens on {size.nodes} x {size.gpus}"
        " GPUs",
        flush=True,
    )
    status = launcher.launch(job, size)
    if status == 0:
        shutil.rmtree(run_folder.prepare_run(job, size).folder)
        shutil.rmtree(FOLDER)
        print(f"preflight of {name}: passed")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except BadInput as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped waiting; the job goes on, and the same command attaches to it")
