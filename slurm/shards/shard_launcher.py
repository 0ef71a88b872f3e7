"""A large synthesis as a job array: `make synthesize SHARDS=COUNT`.

The groups that still lack answers are split among COUNT shards, by their ids. A shard is a folder
of the run: its part of the plan, the answers that are already paid for, and its part of the budget.
The unchanged stage `synthesize` runs there. Then the answers of all shards, also of failed ones,
move to the store, in the order of their keys. `dvc repro synthesize` writes from the store the same
bytes whatever COUNT was. The same command runs only the shards that are not done.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.records import BadInput
from agent_tuning.runtime import config
from agent_tuning.synthesis import write_positives
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from agent_tuning.synthesis.teachers.select import SynthesizeConfig
from slurm.launch import job_log, launcher, requirements, run_folder, slurm_commands
from slurm.launch.run_folder import Job, Run
from slurm.node import consistency
from slurm.shards import shard_plan
from slurm.sizing.sizes import Section

REPLIES_PER_FSYNC = 1000
MAX_SHARDS = 1000  # tasks of an array that Slurm takes unless told otherwise
LOG_TAIL_LINES = 5  # of a shard that failed


def find_unfinished_shards(run: Run) -> list[int]:
    folders = (run.folder / "shards").glob("*")
    return sorted(int(folder.name) for folder in folders if not (folder / "DONE").exists())


def collect_replies(run: Run, store: Path) -> int:
    """Move the new answers of all shards to the store; how many there were."""
    shards = [AnswerStore(path) for path in sorted((run.folder / "shards").glob("*/replies.jsonl"))]
    shard_with = {reply.key: shard for shard in shards for reply in shard}
    target = AnswerStore(store)
    target.open()
    try:
        new = sorted(key for key in shard_with if key not in target)
        for start in range(0, len(new), REPLIES_PER_FSYNC):
            replies = (shard_with[key].get(key) for key in new[start : start + REPLIES_PER_FSYNC])
            asyncio.run(target.put(*filter(None, replies)))
    finally:
        target.close()
    return len(new)


def build_replay_teacher(
    p: SynthesizeConfig, chat: ChatModelConfig, catalogue: Path, phrasing: Path, store: Path
) -> ReplayTeacher:
    """The teacher that finds out which answers the store lacks."""
    if p.teacher != "openai":
        raise BadInput(
            f"params.yaml: synthesize.teacher = {p.teacher}: expected openai; other teachers call"
            " no chat model: run `dvc repro synthesize`"
        )
    replay_config = msgspec.structs.replace(p, teacher="replay")
    teacher = write_positives.build_teacher(replay_config, chat, catalogue, phrasing, store)
    assert isinstance(teacher, ReplayTeacher)
    return teacher


def build_command(run: Run, shards: list[int]) -> list[str]:
    _, catalogue, phrasing = run.job.inputs
    script = str(run.folder / "slurm/shards/shard.sbatch")
    partition = os.environ.get("CPU_PARTITION")
    return [
        *("sbatch", "--parsable", f"--job-name={run.name}", f"--chdir={run.folder}"),
        f"--array={','.join(map(str, shards))}",
        *([f"--partition={partition}"] if partition else []),
        *(script, sys.executable, str(catalogue), str(phrasing)),
    ]


def wait_for_shards(run: Run) -> None:
    """Wait until no shard waits or runs."""
    previous, pause = -1, launcher.MIN_POLL_S
    while slurm_commands.find_live_jobs(run.name, slurm_commands.POLL_PATIENCE_S):
        unfinished = len(find_unfinished_shards(run))
        if unfinished != previous:
            print(f"{run.name}: {unfinished} shards left", flush=True)
        previous, pause = unfinished, min(pause * 1.1, launcher.MAX_POLL_S)
        time.sleep(pause)


def failure_lines(run: Run, shards: list[int]) -> Iterator[str]:
    yield f"error: {len(shards)} shards did not finish; the same command runs only these again"
    for index in shards:
        log = run.folder / f"log/{index}.log"
        yield f"{log}:\n{job_log.read_tail(log, LOG_TAIL_LINES)}"


def launch(
    sections: Mapping[str, Section], replay: ReplayTeacher, count: int, inputs: tuple[Path, ...]
) -> int:
    """Submit or attach, wait and collect, whatever is still to do; the exit status.

    `sections` are `synthesize` and `chat_model`, `inputs` are plan, catalogue and phrasing.
    """
    code = consistency.digest_files(consistency.list_code_files(Path(), ["agent_tuning"]))
    run = run_folder.find_or_create_run(
        Job("data", "synthesize", inputs, ()),
        sections["synthesize"],
        {"chat_model": sections["chat_model"], "shards": count, "code": code},
        lambda folder: shard_plan.write_shards(sections, replay, inputs[0], count, folder),
    )
    if unfinished := find_unfinished_shards(run):
        launcher.find_or_submit(run, build_command(run, unfinished))
        if os.environ.get("WAIT") == "0":
            return launcher.report_detached(run.job.size, run.name)
        wait_for_shards(run)
    store = replay.store.path
    print(f"{store}: {collect_replies(run, store)} new answers of {run.name}")
    if unfinished := find_unfinished_shards(run):
        print(*failure_lines(run, unfinished), sep="\n", file=sys.stderr)
        return 1
    return 0


def parse_arguments(words: list[str]) -> tuple[int, list[Path]]:
    count, *paths = words
    # Compared as text: Python converts no number of thousands of digits.
    if count not in map(str, range(1, MAX_SHARDS + 1)) or len(paths) != 4:
        raise BadInput(
            f"SHARDS={count!r}: expected a number from 1 to {MAX_SHARDS}, and four paths"
        )
    return int(count), list(map(Path, paths))


def main() -> int:
    count, (plan, catalogue, phrasing, store) = parse_arguments(sys.argv[1:])
    requirements.require_cluster()
    p = config.load("synthesize", SynthesizeConfig)
    chat = config.load("chat_model", ChatModelConfig)
    replay = build_replay_teacher(p, chat, catalogue, phrasing, store)
    sections = {name: config.load(name, Section) for name in ("synthesize", "chat_model")}
    return launch(sections, replay, count, (plan, catalogue, phrasing))


if __name__ == "__main__":
    launcher.run_and_exit(main)
