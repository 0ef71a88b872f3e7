"""A large synthesis as a job array: python -m slurm.shards COUNT PLAN CATALOGUE PHRASING STORE

The groups that still lack answers are dealt to COUNT shards by their ids. A shard is a folder of
the run with its part of the plan, what is paid for of it already, and its share of the budget; the
unchanged stage runs there. Then the answers of all shards, also of those that failed, move to the
store, in the order of their keys: `dvc repro synthesize` writes from it what it would have written
alone, whatever COUNT was. The same command runs the shards that are not done, and no others.
"""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from slurm import alike, launch, queue, ready, runfolder, sizes
from slurm.runfolder import Job, Run
from stages import synthesize
from trajectory import jsonl, params
from trajectory.records import BadInput
from trajectory.teachers import Request
from trajectory.teachers.asking import Ask, Reply, Unusable
from trajectory.teachers.choice import Params
from trajectory.teachers.replay import Missing, Replay
from trajectory.teachers.store import Store

AT_ONCE = 1000  # answers under one fsync
MOST = 1000  # tasks of an array that Slurm takes unless told otherwise
LINES = 5  # of the log of a shard that failed


class Part(NamedTuple):
    """A group that still lacks answers, and those that it has."""

    request: Request
    known: tuple[Reply, ...]


def shard_of(group: str, count: int) -> int:
    return int.from_bytes(hashlib.blake2b(group.encode(), digest_size=8).digest()) % count


def lacking(replay: Replay, requests: Iterable[Request]) -> Iterator[Part]:
    for request in requests:
        known: list[Reply] = []
        whole = [_walked(replay, request, index, known) for index in range(len(request.items))]
        if not all(whole):
            yield Part(request, tuple(known))


def _walked(replay: Replay, request: Request, index: int, known: list[Reply]) -> bool:
    """Follow a trajectory through the store, as far as it has answers; False if one is missing."""

    def answer(ask: Ask) -> Reply:
        known.append(replay.stored(ask))
        return known[-1]

    author = replay.author
    try:
        author.positive(
            request.items[index], request.language, author.scripted.menu(request), answer
        )
    except Unusable:
        return True
    except Missing:
        return False
    return True


def deal(p: Params, replay: Replay, plan: Path, count: int, folder: Path) -> None:
    """Make the shards' folders in a new run folder."""
    parts: list[list[Part]] = [[] for _ in range(count)]
    for part in lacking(replay, jsonl.read(plan, Request)):
        parts[shard_of(part.request.id, count)].append(part)
    spent = sum(replay.price.paid(reply).usd for reply in replay.store)
    share = None if p.budget is None else max(0.0, p.budget - spent) / count
    for index, mine in enumerate(parts):
        if mine:
            _shard(replay, mine, share, folder / f"shards/{index}")


def _shard(replay: Replay, mine: list[Part], share: float | None, folder: Path) -> None:
    known = [reply for part in mine for reply in part.known]
    jsonl.write(folder / "plan.jsonl", [part.request for part in mine])
    jsonl.write(folder / "replies.jsonl", known)
    section = params.load("synthesize", dict[str, Any])
    if share is not None:  # the stage counts all that is in its store
        section = section | {"budget": share + sum(replay.price.paid(one).usd for one in known)}
    sizes.write("synthesize", section, folder / "params.yaml")


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
        *(str(run.folder / "slurm/shard.sbatch"), sys.executable, str(catalogue), str(phrasing)),
    ]


def follow(run: Run) -> None:
    """Wait until no shard waits or runs."""
    before, pause = -1, 0.2
    while queue.live(run.name):
        left = len(undone(run))
        if left != before:
            print(f"{run.name}: {left} shards to go", flush=True)
        before, pause = left, min(pause * 1.1, launch.SLOWEST)
        time.sleep(pause)


def failed(run: Run, shards: list[int]) -> Iterator[str]:
    yield f"error: {len(shards)} shards are not done; the same command runs them again, alone"
    for index in shards:
        log = run.folder / f"log/{index}.log"
        yield f"{log}:"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else ["(nothing)"]
        yield from (f"  {line}" for line in lines[-LINES:])


def main(count: int, plan: Path, catalogue: Path, phrasing: Path, store: Path) -> int:
    ready.cluster()
    p = params.load("synthesize", Params)
    replay = teacher(p, catalogue, phrasing, store)
    facts = {"shards": count, "code": alike.digest(alike.code(Path(), ["trajectory"]))}
    run = runfolder.made(
        Job("data", "synthesize", (plan, catalogue, phrasing), ()),
        params.load("synthesize", dict[str, Any]),
        facts,
        lambda folder: deal(p, replay, plan, count, folder),
    )
    if left := undone(run):
        launch.find_or_submit(run, command(run, left))
        if os.environ.get("WAIT") == "0":
            return launch.detached(run.name)
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
