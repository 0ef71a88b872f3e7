"""One optimizer step of the longest pack on all GPUs of a size: `make preflight SIZE=...`.

It takes the same path as the training: fit nodes with the same code, rendezvous, load, step, save,
collect. So you see now, not hours later, whether the size fits into memory. A run that passed is
removed, so that the next preflight checks again.
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

FOLDERS = Path("scratch/preflight")  # one of each size: several may be checked at once


def write_longest_pack(packs: Path, count: int, target: Path) -> int:
    """Write the longest pack `count` times, which is one step; its number of tokens.

    The folder of `target` also gets what `datasets` caches.
    """
    datasets.disable_progress_bars()
    dataset = datasets.Dataset.from_parquet(str(packs), cache_dir=str(target.parent / "cache"))
    lengths = [len(ids) for ids in dataset["ids"]]
    index = lengths.index(max(lengths))
    dataset.select([index] * count).to_parquet(str(target))
    return max(lengths)


def build_one_step_job(name: str, size: Size) -> tuple[Job, Size, int]:
    """The training of a size cut down to one step, and the number of tokens of its packs."""
    train = next(job for job in dry_run.jobs(name) if job.stage == "train")
    packs, *other_inputs = train.inputs
    if not packs.exists():
        raise BadInput(f"{packs}: missing; run `dvc repro slurm/dvc.yaml:render@{name}`")
    folder = FOLDERS / name
    folder.mkdir(parents=True, exist_ok=True)
    longest = folder / "longest.parquet"
    packs_per_step = sizes.read_section(size, "train")["packs_per_step"]
    tokens = write_longest_pack(packs, packs_per_step, longest)
    train = msgspec.structs.replace(
        train,
        inputs=(longest, *other_inputs),
        outputs=tuple(folder / path for path in train.outputs),
    )
    overrides = size.overrides | {"train": size.overrides.get("train", {}) | {"epochs": 1}}
    return train, msgspec.structs.replace(size, overrides=overrides), tokens


def main(name: str) -> int:
    whole_size = sizes.load(name)
    requirements.require_size(name, whole_size)
    job, size, tokens = build_one_step_job(name, whole_size)
    print(
        f"preflight of {name}: one step of packs of {tokens} tokens on {size.nodes} x {size.gpus}"
        " GPUs",
        flush=True,
    )
    run = run_folder.prepare_run(job, size)
    status = launcher.launch(run, size)
    if status == 0:
        shutil.rmtree(run.folder)
        shutil.rmtree(FOLDERS / name)
        print(f"preflight of {name}: passed")
    return status


if __name__ == "__main__":
    launcher.run_and_exit(lambda: main(*sys.argv[1:]))
