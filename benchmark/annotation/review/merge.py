"""Merge reviewed candidates into the house suite: `make merge`.

reads   SUITE/                the current version
        CANDIDATES/           the suite of drafted tasks, and their reviews
        TRAINING              the groups that training reads; no task may overlap them
        WRITTEN/              folders of written examples, which training may read, too
        params.yaml: review, decontamination
writes  SUITE/                the new version: tools.jsonl, prompts.jsonl, tasks.jsonl, version.json
                              and rejected.jsonl, the drafts that are never drafted again
        SUITE-N/              a copy of the version before, so that it can still be scored

If a candidate is unreviewed, in conflict, flagged, a duplicate or in the training data, nothing is
written and all such candidates are listed; with `--partial` they are left for later and the others
are merged. Candidates that reviewers reject are left out for good. What is merged already is passed
over, so the command can be run again at any time, also after it was killed.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ContaminationFilter, DecontaminationConfig
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import written_examples
from agent_tuning.synthesis.written_examples import NumberedExample
from benchmark import missing_step
from benchmark.annotation.review import contamination, suite_swap
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
        merged={result.draft.id: result.people for result in ready},
        corrected=tuple(r.draft.id for r in ready if r.outcome.task != r.draft),
        rejected={result.draft.id: result.outcome.detail for result in rejected},
        reviews=hashlib.sha256(reviews).hexdigest(),
    )


def write(folder: Path, old: Version, new: Version, suite: Suite, rejected: Iterable[Task]) -> Path:
    """Write the new version, after copying the old one to the folder that is returned.

    Killed at any moment, it leaves the old version or the new one, whole.
    """
    copy = folder.with_name(f"{folder.name}-{old.version}")
    suite_swap.copy_whole(folder, copy)
    with suite_swap.replace_whole(folder) as target:
        jsonl.write(target / "rejected.jsonl", rejected)
        suites.write(target, suite)
        write_version(target, new)
    return copy


def is_retired(result: ReviewedTask) -> bool:
    """Whether the draft's words must not be drafted again: it was rejected or reworded."""
    task = result.outcome.task
    return task is None or task.turns != result.draft.turns


def list_pending(
    suite: Suite, rejected: Iterable[Task], reviewed: Iterable[ReviewedTask]
) -> Iterator[ReviewedTask]:
    """The candidates that no earlier merge has merged or left out for good."""
    merged = {task.id: (task.prompt, task.turns) for task in suite.tasks}
    left_out = {task.id for task in rejected} - merged.keys()
    for result in reviewed:
        task = result.outcome.task or result.draft
        is_merged = merged.get(task.id) == (task.prompt, task.turns)
        if not is_merged and not (result.outcome.task is None and task.id in left_out):
            yield result


def choose_ready(
    suite: Suite,
    candidates: Suite,
    pending: Sequence[ReviewedTask],
    training_filter: ContaminationFilter,
    partial: bool,
) -> list[ReviewedTask]:
    """The candidates to merge. Raises BadInput if some cannot be and `partial` is not set."""
    problems = list(find_problems(suite, candidates, pending, training_filter))
    lines = "\n  ".join(map(str, problems))
    if problems and not partial:
        print(f"  {lines}", file=sys.stderr)
        raise BadInput(
            f"{candidates.name}: nothing is merged, {len(problems)} problems, the first: "
            f"{problems[0]}; to merge the others: make merge PARTIAL=1"
        )
    left = {problem.task for problem in problems}
    if left:
        print(f"{len(left)} candidates are left for later:\n  {lines}")
    return [result for result in pending if result.draft.id not in left]


def read_written(folder: Path) -> Iterator[NumberedExample]:
    """The examples of all folders in data/written."""
    for path in sorted({path.parent for path in folder.glob("*/*.jsonl")}):
        yield from written_examples.read_folder(path)


def main(
    folder: Path,
    candidates_folder: Path,
    reviews: Path,
    training: Path,
    written: Path,
    *,
    partial: bool = False,
) -> None:
    with suite_swap.alone(folder):
        p = config.load("review", ReviewConfig)
        near = config.load("decontamination", DecontaminationConfig).near_benchmark
        missing_step.expect(candidates_folder / "tasks.jsonl", "candidates", "make draft")
        missing_step.expect(reviews, "reviews", "make review")
        missing_step.expect(training, "training data", "dvc repro mix")
        suite, candidates = suites.read(folder), suites.read(candidates_folder)
        old, rejected = read_version(folder, suite), read_rejected(folder)
        reviewed = settle_reviews(candidates, jsonl.read(reviews, Event), p.double)
        pending = list(list_pending(suite, rejected, reviewed))
        training_filter = contamination.build_training_filter(
            jsonl.read(training, Group), near, read_written(written)
        )
        ready = choose_ready(suite, candidates, pending, training_filter, partial)
        if not ready:
            print(f"{folder}: version {old.version} stays: no candidate is new and ready")
            return
        merged = merge_suite(suite, candidates, ready)
        new = build_version(old, merged, ready, reviews.read_bytes())
        retired = [result.draft for result in ready if is_retired(result)]
        copy = write(folder, old, new, merged, [*rejected, *retired])
        print(
            f"{folder}: version {new.version}, {len(new.merged)} tasks merged, "
            f"{len(new.corrected)} of them corrected, {len(new.rejected)} rejected; "
            f"version {old.version} is kept in {copy}"
        )


if __name__ == "__main__":
    cli.run(main)
