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

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.records import BadInput
from agent_tuning.runtime import config
from agent_tuning.synthesis import write_positives
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from agent_tuning.synthesis.teachers.select import SynthesizeConfig
from slurm.launch import launcher, requirements, run_folder, slurm_commands
from slurm.launch.run_folder import Job, Run
from slurm.node import consistency
from slurm.shards import shard_plan

REPLIES_PER_FSYNC = 1000  # answers under one fsync
MAX_SHARDS = 1000  # tasks of an array that Slurm takes unless told otherwise
LOG_TAIL_LINES = 5  # of the log of a shard that failed


def find_unfinished_shards(run: Run) -> list[int]:
    every = (path for path in (run.folder / "shards").glob("*") if not (path / "DONE").exists())
    return sorted(int(path.name) for path in every)


def collect_replies(run: Run, store: Path) -> int:
    """Move the new answers of all shards to the store; how many there were."""
    stores = [AnswerStore(path) for path in sorted((run.folder / "shards").glob("*/replies.jsonl"))]
    there = {reply.key: shard for shard in stores for reply in shard}
    target = AnswerStore(store)
    target.open()
    try:
        new = sorted(key for key in there if key not in target)
        for start in range(0, len(new), REPLIES_PER_FSYNC):
            replies = (there[key].get(key) for key in new[start : start + REPLIES_PER_FSYNC])
            asyncio.run(target.put(*filter(None, replies)))
    finally:
        target.close()
    return len(new)


def build_replay_teacher(
    p: SynthesizeConfig, catalogue: Path, phrasing: Path, store: Path
) -> ReplayTeacher:
    if p.teacher != "openai":
        raise BadInput(
            f"params.yaml: synthesize.teacher = {p.teacher}: expected openai; the others ask"
            " nobody, and `dvc repro synthesize` is all they need"
        )
    chosen = write_positives.build_teacher(
        msgspec.structs.replace(p, teacher="replay"), catalogue, phrasing, store
    )
    assert isinstance(chosen, ReplayTeacher)
    return chosen


def build_command(run: Run, shards: list[int]) -> list[str]:
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


def wait_for_shards(run: Run) -> None:
    """Wait until no shard waits or runs."""
    before, pause = -1, 0.2
    while slurm_commands.find_live_jobs(run.name):
        left = len(find_unfinished_shards(run))
        if left != before:
            print(f"{run.name}: {left} shards to go", flush=True)
        before, pause = left, min(pause * 1.1, launcher.MAX_POLL_S)
        time.sleep(pause)


def failure_lines(run: Run, shards: list[int]) -> Iterator[str]:
    yield f"error: {len(shards)} shards are not done; the same command runs them again, alone"
    for index in shards:
        log = run.folder / f"log/{index}.log"
        yield f"{log}:"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else ["(nothing)"]
        yield from (f"  {line}" for line in lines[-LOG_TAIL_LINES:])


def main(count: int, plan: Path, catalogue: Path, phrasing: Path, store: Path) -> int:
    requirements.require_cluster()
    p = config.load("synthesize", SynthesizeConfig)
    replay = build_replay_teacher(p, catalogue, phrasing, store)
    facts = {
        "shards": count,
        "code": consistency.hash_files(consistency.list_code_files(Path(), ["agent_tuning"])),
    }
    run = run_folder.find_or_create_run(
        Job("data", "synthesize", (plan, catalogue, phrasing), ()),
        config.load("synthesize", dict[str, Any]),
        facts,
        lambda folder: shard_plan.write_shards(p, replay, plan, count, folder),
    )
    if left := find_unfinished_shards(run):
        launcher.find_or_submit(run, build_command(run, left))
        if os.environ.get("WAIT") == "0":
            return launcher.report_detached(run.name)
        wait_for_shards(run)
    print(f"{store}: {collect_replies(run, store)} new answers of {run.name}")
    left = find_unfinished_shards(run)
    if left:
        print(*failure_lines(run, left), sep="\n", file=sys.stderr)
    return 1 if left else 0


def parse_arguments(words: list[str]) -> tuple[int, list[Path]]:
    count, *paths = words
    if not count.isdecimal() or not 1 <= int(count) <= MAX_SHARDS or len(paths) != 4:
        raise BadInput(
            f"SHARDS={count!r}: expected a number from 1 to {MAX_SHARDS}, and four paths"
        )
    return int(count), list(map(Path, paths))


if __name__ == "__main__":
    try:
        number, given = parse_arguments(sys.argv[1:])
        sys.exit(main(number, *given))
    except BadInput as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped waiting; the shards go on, and the same command attaches to them")
