"""Write what reviewers corrected in a suite into its next overlay: `make merge OF=SUITE`.

reads   SUITE/                any suite of three JSON Lines files, with its overlays
        REVIEWS               the reviews of its tasks (`make review OF=SUITE`)
        params.yaml: review
writes  SUITE/overlays/N.jsonl   the golds of the tasks that were corrected; the version before
                                 stays scorable

Tasks that nobody reviewed stay as they are. If a reviewed task needs another person, is in conflict
or flagged, nothing is written and all such tasks are listed; with `--partial` the others are
corrected. An overlay holds golds: tasks that were rejected, reworded or made another kind of task
are listed, to be changed where the suite is made.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from benchmark import missing_step
from benchmark.annotation.review import suite_swap
from benchmark.annotation.review.queue import ReviewConfig
from benchmark.annotation.review.reviewed_tasks import ReviewedTask, settle_reviews
from benchmark.annotation.web.events import Event
from benchmark.tasks import suites
from benchmark.tasks.suites import Erratum


def build_errata(settled: Iterable[ReviewedTask]) -> Iterator[Erratum]:
    """The golds that reviewers agreed on, where they are not those of the suite."""
    for result in settled:
        task = result.outcome.task
        if task and task.golds != result.draft.golds and not _find_beyond_golds(result):
            yield Erratum(task.id, task.golds, f"reviewed by {', '.join(result.people)}")


def list_beyond_golds(settled: Iterable[ReviewedTask]) -> Iterator[str]:
    """What an overlay cannot say, a line a task."""
    for result in settled:
        if beyond := _find_beyond_golds(result):
            yield f"{result.draft.id}: {beyond}"


def _find_beyond_golds(result: ReviewedTask) -> str:
    """What an overlay cannot say of this task; empty if it can say all."""
    task, draft = result.outcome.task, result.draft
    if task is None:
        return f"rejected: {result.outcome.detail}"
    if task.turns != draft.turns:
        return "the user's words were changed"
    # Tables by kind would count the new gold under the old kind.
    return f"kind: {draft.kind} became {task.kind}" if task.kind != draft.kind else ""


def choose_settled(
    folder: Path, reviewed: Sequence[ReviewedTask], partial: bool
) -> list[ReviewedTask]:
    """The reviewed tasks whose outcome holds. Raises BadInput for others, unless `partial`."""
    touched = [result for result in reviewed if result.people or result.flags]
    open_lines = [
        f"{result.draft.id}: {unsettled}"
        for result in touched
        if (unsettled := result.describe_unsettled())
    ]
    lines = "\n  ".join(open_lines)
    if open_lines and not partial:
        raise BadInput(
            f"{folder}: nothing is written, {len(open_lines)} problems; "
            f"to correct the others: make merge OF={folder} PARTIAL=1\n  {lines}"
        )
    if open_lines:
        print(f"{len(open_lines)} tasks are left for later:\n  {lines}")
    return [result for result in touched if not result.describe_unsettled()]


def main(folder: Path, reviews: Path, *, partial: bool = False) -> None:
    p = config.load("review", ReviewConfig)
    missing_step.expect(reviews, "reviews", f"make review OF={folder}")
    with suite_swap.alone(folder):
        suite = suites.read(folder)
        reviewed = list(settle_reviews(suite, jsonl.read(reviews, Event), p.double))
        settled = choose_settled(folder, reviewed, partial)
        if beyond := list(list_beyond_golds(settled)):
            lines = "\n  ".join(beyond)
            print(f"An overlay holds golds only; change these where the suite is made:\n  {lines}")
        errata = list(build_errata(settled))
        if not errata:
            print(f"{folder}: version {suite.version} stays: no gold is corrected")
            return
        overlay = folder / "overlays" / f"{suite.version + 1}.jsonl"
        # Written beside the folder of overlays, where a killed run leaves nothing that is read.
        jsonl.write(folder / "next_overlay.jsonl", errata)
        overlay.parent.mkdir(exist_ok=True)
        os.replace(folder / "next_overlay.jsonl", overlay)
        suites.read(folder)  # raises BadInput if the suite could not be read with it
        print(f"{overlay}: {len(errata)} golds corrected, {len(settled)} tasks reviewed")


if __name__ == "__main__":
    cli.run(main)
