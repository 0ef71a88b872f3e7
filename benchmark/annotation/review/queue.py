"""What lies on a reviewer's desk: the candidates in order, and what has been said of them."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from agent_tuning.records import Json, Record, Turn
from benchmark.annotation.rating.rubric import Judgement
from benchmark.annotation.review import verdicts
from benchmark.annotation.review.priority import Priority, WordOverlapLimits, prioritize_tasks
from benchmark.annotation.review.verdicts import DoubleReview, ReviewOutcome
from benchmark.annotation.web.events import Event, Verdict, find_current
from benchmark.annotation.web.journal import Journal
from benchmark.tasks.suites import Suite, Task


class ReviewConfig(Record, frozen=True):
    port: int
    double: DoubleReview
    ties: WordOverlapLimits
    held: float


class Card(NamedTuple):
    """One candidate as one person sees it; `place` counts from 1, the most suspicious first."""

    place: int
    task: Task
    suspicion: Priority
    settled: ReviewOutcome
    mine: Event | None
    others: Mapping[str, Verdict]  # what others said; empty until this person has

    @property
    def verdict(self) -> Verdict | None:
        return self.mine.after if self.mine and isinstance(self.mine.after, Verdict) else None


IsGrounded = Callable[[str, Json, Sequence[Turn]], bool]  # a tool's value stands in these turns


class ReviewQueue:
    def __init__(
        self,
        candidates: Suite,
        judged: Mapping[str, Judgement],
        journal: Journal,
        p: ReviewConfig,
        said: IsGrounded,
    ) -> None:
        self.suite = candidates
        self.said = said
        self.journal = journal
        self.p = p
        self.order = prioritize_tasks(candidates, judged, p.ties)
        self.places = {task.id: place for place, (task, _) in enumerate(self.order, 1)}
        self.shown = {task.id: verdicts.hash_task(candidates, task) for task in candidates.tasks}
        self.held: dict[int, tuple[str, float]] = {}  # place -> who looks at it, since when

    def cards(self, who: str) -> list[Card]:
        found = find_current(self.journal.events())
        return [
            self._card(place, task, suspicion, found.get(task.id, {}), who)
            for place, (task, suspicion) in enumerate(self.order, 1)
        ]

    def _card(
        self, place: int, task: Task, suspicion: Priority, held: Mapping[str, Event], who: str
    ) -> Card:
        valid = verdicts.select_valid(held, self.shown[task.id])
        settled = verdicts.settle(task, valid, self.p.double.needed(task))
        mine = held.get(who) if who in valid else None
        # A second opinion is worth nothing if it has seen the first.
        others = {name: said for name, said in valid.items() if name != who and mine}
        return Card(place, task, suspicion, settled, mine, others)

    def hold(self, place: int, who: str) -> None:
        self.held[place] = who, time.monotonic()

    def next_open(self, cards: Sequence[Card], who: str, after: int = 0) -> int | None:
        """The next place that waits for this person; None if there is none left."""
        open_places = [c.place for c in cards if c.settled.state == "open" and not c.mine]
        free = [place for place in open_places if not self._looked_at(place, who)]
        waiting = free or open_places
        return min(waiting, key=lambda place: (place <= after, place), default=None)

    def _looked_at(self, place: int, who: str) -> bool:
        """By somebody else, so that two people do not do the same work."""
        other, since = self.held.get(place, (who, 0.0))
        return other != who and time.monotonic() - since < self.p.held


def count_progress(cards: Sequence[Card]) -> dict[str, int]:
    """How many of all are done, and how many in each state."""
    states = Counter[str](card.settled.state for card in cards)
    done = len(cards) - states["open"] - states["conflict"]
    return {**{"done": done, "all": len(cards), "open": 0, "conflict": 0}, **states}
