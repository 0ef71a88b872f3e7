"""A large synthesis as a job array: `make synthesize SHARDS=COUNT`.

The groups that still lack answers are dealt to COUNT shards by their ids. A shard is a folder of
the run with its part of the plan, what is paid for of it already, and its share of the budget; the
unchanged stage runs there. Then the answers of all shards, also of those that failed, move to the
store, in the order of their keys: `dvc repro synthesize` writes from it what it would have written
alone, whatever COUNT was. The same command runs the shards that are not done, and no others.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agent_tuning.chat_model.answer_store import Store
from agent_tuning.records import BadInput
from agent_tuning.runtime import config
from agent_tuning.synthesis.teachers.replay import Replay
from agent_tuning.synthesis.teachers.select import Params
from slurm.launch import launcher, queue, requirements, run_folder
from slurm.launch.run_folder import Job, Run
from slurm.node import consistency
from slurm.shards import shard_plan
from stages import synthesize

AT_ONCE = 1000  # answers under one fsync
MOST = 1000  # tasks of an array that Slurm takes unless told otherwise
LINES = 5  # of the log of a shard that failed


def undone(run: Run) -> list[int]:
    every = (path for path in (run.folder / "shards").glob("*") if not (path / "DONE").exists())
    return sorted(int(path.name) for path in every)


def collect(run: Run, store: Path) -> int:
    """Move the new answers of all shards to the store; how many there were."""
    stores = [Store(path) for path in sorted((run.folder / "shards").glob("*/replies.jsonl"))]
    there = {reply.key: shard for shard in stores for reply in shard}
    target = Store(store)
    target.open()
    try:
        new = sorted(key for key in there if key not in target)
        for start in range(0, len(new), AT_ONCE):
            replies = (there[key].get(key) for key in new[start : start + AT_ONCE])
            asyncio.run(target.put(*filter(None, replies)))
    finally:
        target.close()
    return len(new)


def teacher(p: Params, catalogue: Path, phrasing: Path, store: Path) -> Replay:
    if p.teacher != "openai":
        raise BadInput(
            f"params.yaml: synthesize.teacher = {p.teacher}: expected openai; the others ask"
            " nobody, and `dvc repro synthesize` is all they need"
        )
    chosen = synthesize.chosen(
        msgspec.structs.replace(p, teacher="replay"), catalogue, phrasing, store
    )
    assert isinstance(chosen, Replay)
    return chosen


def command(run: Run, shards: list[int]) -> list[str]:
    _, catalogue, phrasing = run.job.inputs
    partition = os.environ.get("CPU_PARTITION")
    return [
        *("sbatch", "--parsable", f"--job-name={run.name}", f"--chdir={run.folder}"),
        f"--array={','.join(map(str, shards))}",
        *([f"--partition={partition}"] if partition else []),
        *(
            str(run.folder / "slurm/shards/shard.sbatch"),
            sys.executable,
            str(catalogue),
            str(phrasing),
        ),
    ]


def follow(run: Run) -> None:
    """Wait until no shard waits or runs."""
    before, pause = -1, 0.2
    while queue.live(run.name):
        left = len(undone(run))
        if left != before:
            print(f"{run.name}: {left} shards to go", flush=True)
        before, pause = left, min(pause * 1.1, launcher.SLOWEST)
        time.sleep(pause)


def failed(run: Run, shards: list[int]) -> Iterator[str]:
    yield f"error: {len(shards)} shards are not done; the same command runs them again, alone"
    for index in shards:
        log = run.folder / f"log/{index}.log"
        yield f"{log}:"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else ["(nothing)"]
        yield from (f"  {line}" for line in lines[-LINES:])


def main(count: int, plan: Path, catalogue: Path, phrasing: Path, store: Path) -> int:
    requirements.cluster()
    p = config.load("synthesize", Params)
    replay = teacher(p, catalogue, phrasing, store)
    facts = {
        "shards": count,
        "code": consistency.digest(consistency.code(Path(), ["agent_tuning"])),
    }
    run = run_folder.made(
        Job("data", "synthesize", (plan, catalogue, phrasing), ()),
        config.load("synthesize", dict[str, Any]),
        facts,
        lambda folder: shard_plan.deal(p, replay, plan, count, folder),
    )
    if left := undone(run):
        launcher.find_or_submit(run, command(run, left))
        if os.environ.get("WAIT") == "0":
            return launcher.detached(run.name)
        follow(run)
    print(f"{store}: {collect(run, store)} new answers of {run.name}")
    left = undone(run)
    if left:
        print(*failed(run, left), sep="\n", file=sys.stderr)
    return 1 if left else 0


def parsed(words: list[str]) -> tuple[int, list[Path]]:
    count, *paths = words
    if not count.isdecimal() or not 1 <= int(count) <= MOST or len(paths) != 4:
        raise BadInput(f"SHARDS={count!r}: expected a number from 1 to {MOST}, and four paths")
    return int(count), list(map(Path, paths))


if __name__ == "__main__":
    try:
        number, given = parsed(sys.argv[1:])
        sys.exit(main(number, *given))
    except BadInput as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped waiting; the shards go on, and the same command attaches to them")
