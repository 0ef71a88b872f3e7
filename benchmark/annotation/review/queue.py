"""The review queue: the candidates in order of priority, and the verdicts on them."""

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

# Whether a value of the named tool is said in the turns.
IsGrounded = Callable[[str, Json, Sequence[Turn]], bool]


class ReviewConfig(Record, frozen=True):
    port: int
    double: DoubleReview
    ties: WordOverlapLimits
    held: float


class Card(NamedTuple):
    """One candidate as one person sees it; `place` counts from 1, the highest priority first."""

    place: int
    task: Task
    priority: Priority
    outcome: ReviewOutcome
    mine: Event | None
    others: Mapping[str, Verdict]  # by person; empty until this person has reviewed the task

    @property
    def verdict(self) -> Verdict | None:
        return self.mine.after if self.mine and isinstance(self.mine.after, Verdict) else None


class ReviewQueue:
    def __init__(
        self,
        candidates: Suite,
        judgements: Mapping[str, Judgement],
        journal: Journal,
        p: ReviewConfig,
        is_grounded: IsGrounded,
    ) -> None:
        self.suite = candidates
        self.is_grounded = is_grounded
        self.journal = journal
        self.p = p
        self.order = prioritize_tasks(candidates, judgements, p.ties)
        self.places = {task.id: place for place, (task, _) in enumerate(self.order, 1)}
        self.shown = {task.id: verdicts.hash_task(candidates, task) for task in candidates.tasks}
        self.viewers: dict[int, tuple[str, float]] = {}  # place -> who views it, since when

    def cards(self, who: str) -> list[Card]:
        """Every candidate as this person sees it, in order of priority."""
        current = find_current(self.journal.events())
        return [
            self._build_card(place, task, priority, current.get(task.id, {}), who)
            for place, (task, priority) in enumerate(self.order, 1)
        ]

    def _build_card(
        self, place: int, task: Task, priority: Priority, current: Mapping[str, Event], who: str
    ) -> Card:
        valid = verdicts.select_valid(current, self.shown[task.id])
        outcome = verdicts.settle(task, valid, self.p.double.needed(task))
        mine = current.get(who) if who in valid else None
        # Nobody sees another verdict before giving one: a second opinion must be independent.
        others = {name: verdict for name, verdict in valid.items() if name != who and mine}
        return Card(place, task, priority, outcome, mine, others)

    def mark_viewed(self, place: int, who: str) -> None:
        """Hold a place for this person for `p.held` seconds."""
        self.viewers[place] = who, time.monotonic()

    def find_next_open(self, cards: Sequence[Card], who: str, after: int = 0) -> int | None:
        """The next place that this person can review; None if there is none left."""
        open_places = [c.place for c in cards if c.outcome.state == "open" and not c.mine]
        free = [place for place in open_places if not self._is_held_for_another(place, who)]
        waiting = free or open_places
        return min(waiting, key=lambda place: (place <= after, place), default=None)

    def _is_held_for_another(self, place: int, who: str) -> bool:
        """Held places keep two people from reviewing the same task at once."""
        viewer, since = self.viewers.get(place, (who, 0.0))
        return viewer != who and time.monotonic() - since < self.p.held


def count_progress(cards: Sequence[Card]) -> dict[str, int]:
    """How many of all are done, and how many in each state."""
    states = Counter[str](card.outcome.state for card in cards)
    done = len(cards) - states["open"] - states["conflict"]
    return {**{"done": done, "all": len(cards), "open": 0, "conflict": 0}, **states}
