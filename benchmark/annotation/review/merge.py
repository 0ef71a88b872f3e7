"""Merge reviewed candidates into the house suite: `make merge`.

reads   SUITE/                the current version
        CANDIDATES/           tools.jsonl, tasks.jsonl: the drafted tasks, and their reviews
        TRAINING              the groups that training reads; no task may overlap them
        params.yaml: review, verify
writes  SUITE/                the new version: tools.jsonl, tasks.jsonl, version.json and
                              rejected.jsonl, the drafts that are never drafted again
        SUITE-N/              a copy of the version before, so that it can still be scored

If a candidate is unreviewed, in conflict, a duplicate or in the training data, nothing is written
and all such candidates are listed. Candidates that reviewers reject are left out.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Group, Record
from agent_tuning.runtime import cli, config
from benchmark.annotation.review import contamination
from benchmark.annotation.review.contamination import ContaminationConfig
from benchmark.annotation.review.merge_problems import find_problems
from benchmark.annotation.review.reviewed_tasks import ReviewedTask, settle_reviews
from benchmark.annotation.review.verdicts import DoubleReview
from benchmark.annotation.web.events import Event
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
        raise BadInput(
            f"tools.jsonl: {changed[0]!r} differs from the suite's tool of that name; "
            "draft the candidates again: make draft"
        )
    return Suite(suite.name, tools, (*suite.tasks, *ready))


def build_version(
    old: Version, new: Suite, reviewed: Iterable[ReviewedTask], reviews: bytes
) -> Version:
    """The record of a merge; `reviews` are the bytes of the reviews file."""
    results = list(reviewed)
    ready = [result for result in results if result.outcome.state == "ready"]
    rejected = [result for result in results if result.outcome.state == "rejected"]
    return Version(
        version=old.version + 1,
        digest=new.digest,
        parent=old.digest,
        merged={draft.id: people for draft, _, people in ready},
        corrected=tuple(draft.id for draft, outcome, _ in ready if outcome.task != draft),
        rejected={draft.id: outcome.detail for draft, outcome, _ in rejected},
        reviews=hashlib.sha256(reviews).hexdigest(),
    )


def write(folder: Path, old: Version, new: Version, suite: Suite, rejected: Iterable[Task]) -> Path:
    """Write the new version, after copying the old one to the folder that is returned."""
    copy = folder.with_name(f"{folder.name}-{old.version}")
    partial = copy.with_name(copy.name + ".partial")
    if not copy.exists():
        shutil.copytree(folder, partial, dirs_exist_ok=True)
        partial.rename(copy)
    jsonl.write(folder / "rejected.jsonl", rejected)
    suites.write(folder, suite)
    write_version(folder, new)
    return copy


def is_retired(draft: Task, settled: ReviewOutcome) -> bool:
    """Nobody should see its words again: rejected, or merged in other words."""
    return settled.task is None or settled.task.turns != draft.turns


def read_rejected(folder: Path) -> list[Task]:
    """The drafts that were turned down or reworded in any version so far."""
    path = folder / "rejected.jsonl"
    return list(jsonl.read(path, Task)) if path.exists() else []


def main(folder: Path, candidates_folder: Path, reviews: Path, training: Path) -> None:
    p = config.load("review", MergeConfig)
    limit = config.load("verify", ContaminationConfig).near_benchmark
    suite, candidates = suites.read(folder), suites.read(candidates_folder)
    old = read_version(folder, suite)
    reviewed = list(settle_reviews(candidates, jsonl.read(reviews, Event), p.double))
    training_filter = contamination.build_training_filter(jsonl.read(training, Group), limit)
    problems = list(find_problems(suite, reviewed, training_filter))
    if problems:
        lines = "\n  ".join(problems)
        raise BadInput(
            f"{candidates_folder}: nothing is merged, {len(problems)} problems:\n  {lines}"
        )
    merged = merge_suite(suite, candidates, reviewed)
    new = build_version(old, merged, reviewed, reviews.read_bytes())
    retired = [result.draft for result in reviewed if is_retired(result)]
    copy = write(folder, old, new, merged, [*read_rejected(folder), *retired])
    print(
        f"{folder}: version {new.version}, {len(new.merged)} tasks merged, "
        f"{len(new.corrected)} of them corrected, {len(new.rejected)} rejected; "
        f"version {old.version} is {copy}"
    )


if __name__ == "__main__":
    cli.run(main)
