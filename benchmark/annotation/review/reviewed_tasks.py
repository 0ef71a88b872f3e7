"""Drafted tasks, each with the outcome of its reviews."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from benchmark.annotation.review import verdicts
from benchmark.annotation.review.verdicts import DoubleReview, ReviewOutcome
from benchmark.annotation.web.events import Event, Flag, Verdict, find_current
from benchmark.tasks.suites import Suite, Task


class ReviewedTask(NamedTuple):
    draft: Task
    outcome: ReviewOutcome
    people: tuple[str, ...]
    flags: Mapping[str, str] = {}  # person -> note

    def describe_unsettled(self) -> str:
        """Why the outcome does not hold yet; empty if it does."""
        if self.outcome.state == "open":
            return f"unreviewed: {self.outcome.detail}"
        if self.outcome.state == "conflict":
            return f"conflict: {self.outcome.detail}"
        notes = (f"{who} {note}".rstrip() for who, note in self.flags.items())
        return f"flagged: {', '.join(notes)}" if self.flags else ""


def settle_reviews(
    candidates: Suite, events: Iterable[Event], double: DoubleReview
) -> Iterator[ReviewedTask]:
    """The outcome of every candidate, in the order of the suite."""
    listed = list(events)
    current, flags = find_current(listed, Verdict), find_current(listed, Flag)
    for task in candidates.tasks:
        shown_hash = verdicts.hash_task(candidates, task)
        valid = verdicts.select_valid(current.get(task.id, {}), task, shown_hash)
        outcome = verdicts.settle(task, valid, double.needed(task))
        notes = {
            who: event.after.note
            for who, event in sorted(flags.get(task.id, {}).items())
            if isinstance(event.after, Flag)
        }
        yield ReviewedTask(task, outcome, tuple(valid), notes)
