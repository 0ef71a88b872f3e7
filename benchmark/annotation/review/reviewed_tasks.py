"""Drafted tasks, each with the outcome of its reviews."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmark.annotation.review import verdicts
from benchmark.annotation.review.verdicts import DoubleReview, ReviewOutcome
from benchmark.annotation.web.events import Event, find_current
from benchmark.tasks.suites import Suite, Task


class ReviewedTask(NamedTuple):
    draft: Task
    outcome: ReviewOutcome
    people: tuple[str, ...]


def settle_reviews(
    candidates: Suite, events: Iterable[Event], double: DoubleReview
) -> Iterator[ReviewedTask]:
    """The outcome of every candidate, in the order of the suite."""
    current = find_current(events)
    for task in candidates.tasks:
        shown_hash = verdicts.hash_task(candidates, task)
        valid = verdicts.select_valid(current.get(task.id, {}), shown_hash)
        outcome = verdicts.settle(task, valid, double.needed(task))
        yield ReviewedTask(task, outcome, tuple(valid))
