"""Merge reviewed candidates into the house suite: `make merge`.

reads   SUITE/                the current version
        CANDIDATES/           tools.jsonl, tasks.jsonl: the drafted tasks, and their reviews
        TRAINING              the groups that training reads, which a task must not overlap
        params.yaml: review, verify
writes  SUITE/                the new version: tools.jsonl, tasks.jsonl, version.json and
                              rejected.jsonl, the drafts that nobody should see again
        SUITE-N/              a copy of the version before, so that it stays scorable

Nothing is written while a candidate is unreviewed, in conflict, a duplicate or trained on; all of
them are named. What reviewers reject is left out.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import BadInput, Group, Record, User
from agent_tuning.runtime import cli, config
from benchmark.annotation.review import contamination, verdicts
from benchmark.annotation.review.verdicts import DoubleReview, ReviewOutcome
from benchmark.annotation.web import events
from benchmark.tasks import suites
from benchmark.tasks.suite_version import Version, read_version, write_version
from benchmark.tasks.suites import Suite, Task


class MergeConfig(Record, frozen=True, forbid_unknown_fields=False):
    double: DoubleReview


class ReviewedTask(NamedTuple):
    task: Task
    settled: ReviewOutcome
    people: tuple[str, ...]


def settle_reviews(
    candidates: Suite, said: Iterable[events.Event], double: DoubleReview
) -> Iterator[ReviewedTask]:
    standing = events.find_current(said)
    for task in candidates.tasks:
        held = standing.get(task.id, {})
        valid = verdicts.select_valid(held, verdicts.hash_task(candidates, task))
        settled = verdicts.settle(task, valid, double.needed(task))
        yield ReviewedTask(task, settled, tuple(valid))


def find_problems(
    suite: Suite, found: Sequence[ReviewedTask], training: Iterable[Group]
) -> Iterator[str]:
    """Why the candidates may not be merged, one line each, named."""
    fence = contamination.build_training_filter(training)
    ids = {task.id for task in suite.tasks}
    asked = {_asked(task): task.id for task in suite.tasks}
    for draft, settled, _ in found:
        task = settled.task or draft
        if settled.state == "open":
            yield f"{task.id}: unreviewed: {settled.detail}"
        if settled.state == "conflict":
            yield f"{task.id}: conflict: {settled.detail}"
        if settled.state == "rejected":
            continue
        if task.id in ids:
            yield f"{task.id}: duplicate: the suite has a task of this id"
        other = asked.setdefault(_asked(task), task.id)
        if other != task.id:
            yield f"{task.id}: duplicate: asks the same as {other}"
        for turn in task.turns:
            if isinstance(turn, User) and (overlap := fence.overlap(turn.text, task.menu)):
                yield f"{task.id}: trained on: {overlap}: {turn.text}"


def _asked(task: Task) -> tuple[object, ...]:
    """What makes two tasks the same one: the menu and everything said so far."""
    said = (normalize_tokens(msgspec.json.encode(turn).decode()) for turn in task.turns)
    return frozenset(task.menu), *said


def merge_suite(suite: Suite, candidates: Suite, found: Iterable[ReviewedTask]) -> Suite:
    ready = [one.settled.task for one in found if one.settled.task]
    used = {key for task in ready for key in task.menu}
    tools = {**suite.tools, **{key: candidates.tools[key] for key in sorted(used)}}
    changed = [key for key in sorted(used) if suite.tools.get(key, tools[key]) != tools[key]]
    if changed:
        raise BadInput(f"tools.jsonl: {changed[0]!r} is another tool in the suite; draft anew")
    return Suite(suite.name, tools, (*suite.tasks, *ready))


def build_version(
    old: Version, new: Suite, found: Iterable[ReviewedTask], reviews: bytes
) -> Version:
    kept = [one for one in found if one.settled.state == "ready"]
    out = [one for one in found if one.settled.state == "rejected"]
    return Version(
        version=old.version + 1,
        digest=new.digest,
        parent=old.digest,
        merged={task.id: people for task, _, people in kept},
        corrected=tuple(task.id for task, settled, _ in kept if settled.task != task),
        rejected={task.id: settled.detail for task, settled, _ in out},
        reviews=hashlib.sha256(reviews).hexdigest(),
    )


def write(folder: Path, old: Version, new: Version, suite: Suite, rejected: Iterable[Task]) -> Path:
    """Keep the old version beside the new; return where it stands."""
    kept = folder.with_name(f"{folder.name}-{old.version}")
    partial = kept.with_name(kept.name + ".partial")
    if not kept.exists():
        shutil.copytree(folder, partial, dirs_exist_ok=True)
        partial.rename(kept)
    jsonl.write(folder / "rejected.jsonl", rejected)
    suites.write(folder, suite)
    write_version(folder, new)
    return kept


def is_retired(draft: Task, settled: ReviewOutcome) -> bool:
    """Nobody should see its words again: rejected, or merged in other words."""
    return settled.task is None or settled.task.turns != draft.turns


def read_rejected(folder: Path) -> list[Task]:
    """The drafts that were turned down or reworded in any version so far."""
    path = folder / "rejected.jsonl"
    return list(jsonl.read(path, Task)) if path.exists() else []


def main(folder: Path, candidates_folder: Path, reviews: Path, training: Path) -> None:
    p = config.load("review", MergeConfig)
    suite, candidates = suites.read(folder), suites.read(candidates_folder)
    old = read_version(folder, suite)
    found = list(settle_reviews(candidates, jsonl.read(reviews, events.Event), p.double))
    refused = list(find_problems(suite, found, jsonl.read(training, Group)))
    if refused:
        listed = "\n  ".join(refused)
        raise BadInput(
            f"{candidates_folder}: nothing is merged, {len(refused)} problems:\n  {listed}"
        )
    new = merge_suite(suite, candidates, found)
    made = build_version(old, new, found, reviews.read_bytes())
    out = [draft for draft, settled, _ in found if is_retired(draft, settled)]
    kept = write(folder, old, made, new, [*read_rejected(folder), *out])
    print(
        f"{folder}: version {made.version}, {len(made.merged)} tasks merged, "
        f"{len(made.corrected)} of them corrected, {len(made.rejected)} rejected; "
        f"version {old.version} is {kept}"
    )


if __name__ == "__main__":
    cli.run(main)
