"""Merge reviewed candidates into the house suite: `make merge`.

reads   SUITE/                the current version
        CANDIDATES/           the suite of drafted tasks, and their reviews
        TRAINING              the groups that training reads; no task may overlap them
        params.yaml: review, decontamination
writes  SUITE/                the new version: tools.jsonl, prompts.jsonl, tasks.jsonl, version.json
                              and rejected.jsonl, the drafts that are never drafted again
        SUITE-N/              a copy of the version before, so that it can still be scored

If a candidate is unreviewed, in conflict, a duplicate or in the training data, nothing is written
and all such candidates are listed. Candidates that reviewers reject are left out.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import DecontaminationConfig
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli, config
from benchmark.annotation.review import contamination
from benchmark.annotation.review.merge_problems import find_problems
from benchmark.annotation.review.queue import ReviewConfig
from benchmark.annotation.review.reviewed_tasks import ReviewedTask, settle_reviews
from benchmark.annotation.web.events import Event
from benchmark.tasks import suites
from benchmark.tasks.suite_version import Version, read_rejected, read_version, write_version
from benchmark.tasks.suites import Suite, Task

T = TypeVar("T")


def merge_suite(suite: Suite, candidates: Suite, reviewed: Iterable[ReviewedTask]) -> Suite:
    """The suite, followed by the candidates that are ready."""
    ready = [result.outcome.task for result in reviewed if result.outcome.task]
    used = {task.prompt: candidates.prompts[task.prompt] for task in ready}
    keys = sorted({key for prompt in used.values() for key in prompt.tools})
    return Suite(
        suite.name,
        _merge_records("tools.jsonl", suite.tools, {key: candidates.tools[key] for key in keys}),
        _merge_records("prompts.jsonl", suite.prompts, used),
        (*suite.tasks, *ready),
    )


def _merge_records(file: str, old: Mapping[str, T], new: Mapping[str, T]) -> dict[str, T]:
    """Raises BadInput if a new record differs from an old one of its key."""
    for key in sorted(old.keys() & new.keys()):
        if old[key] != new[key]:
            raise BadInput(
                f"{file}: {key!r} differs from that of the suite; "
                "run `make draft` to draft the candidates again"
            )
    return {**old, **new}


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


def is_retired(result: ReviewedTask) -> bool:
    """Whether the draft's words must not be drafted again: it was rejected or reworded."""
    task = result.outcome.task
    return task is None or task.turns != result.draft.turns


def main(folder: Path, candidates_folder: Path, reviews: Path, training: Path) -> None:
    p = config.load("review", ReviewConfig)
    limit = config.load("decontamination", DecontaminationConfig).near_benchmark
    suite, candidates = suites.read(folder), suites.read(candidates_folder)
    old = read_version(folder, suite)
    reviewed = list(settle_reviews(candidates, jsonl.read(reviews, Event), p.double))
    training_filter = contamination.build_training_filter(jsonl.read(training, Group), limit)
    problems = list(find_problems(suite, candidates, reviewed, training_filter))
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
        f"version {old.version} is kept in {copy}"
    )


if __name__ == "__main__":
    cli.run(main)
