"""The review queue: the candidates in order of priority, and the verdicts on them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from agent_tuning.records import Json, Language, Record, Turn
from agent_tuning.runtime.ranges import Port, Seconds
from benchmark.annotation.rating.rubric import Judgement
from benchmark.annotation.review import verdicts
from benchmark.annotation.review.descriptions import list_described
from benchmark.annotation.review.priority import Priority, WordOverlapLimits, prioritize_tasks
from benchmark.annotation.review.verdicts import DoubleReview, ReviewOutcome
from benchmark.annotation.web.events import Event, Flag, Verdict, find_current
from benchmark.annotation.web.journal import Journal
from benchmark.tasks.suites import Suite, Task

# Whether a value of the named tool is said in the turns.
IsGrounded = Callable[[str, Json, Sequence[Turn]], bool]
# `todo` is open to this person; `waiting` has this person's verdict, and needs somebody else's.
Status = Literal["todo", "waiting", "conflict", "ready", "rejected"]


class ReviewConfig(Record, frozen=True):
    port: Port
    double: DoubleReview
    ties: WordOverlapLimits
    held: Seconds


class Card(NamedTuple):
    """One candidate as one person sees it; `place` counts from 1, the highest priority first."""

    place: int
    task: Task
    language: Language
    priority: Priority
    outcome: ReviewOutcome
    mine: Event | None
    others: Mapping[str, Event]  # by person; empty until this person has reviewed the task
    flags: Mapping[str, Flag]  # by person

    @property
    def verdict(self) -> Verdict | None:
        return self.mine.after if self.mine and isinstance(self.mine.after, Verdict) else None

    @property
    def number(self) -> int:
        """The number of the event with this person's verdict; 0 without one."""
        return self.mine.number if self.mine else 0

    @property
    def status(self) -> Status:
        if self.outcome.state == "open":
            return "waiting" if self.mine else "todo"
        return self.outcome.state

    @property
    def is_my_conflict(self) -> bool:
        return self.status == "conflict" and self.mine is not None


class Progress(NamedTuple):
    """What one person has done of all that this person can do, and how the tasks stand."""

    done: int
    all: int
    conflicts: int  # that this person is a part of
    tasks: int
    counts: Mapping[str, int]  # tasks by status


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
        self.described = list_described(candidates)
        self.is_grounded = is_grounded
        self.journal = journal
        self.p = p
        self.order = prioritize_tasks(candidates, judgements, p.ties)
        self.places = {task.id: place for place, (task, _) in enumerate(self.order, 1)}
        self.shown = {task.id: verdicts.hash_task(candidates, task) for task in candidates.tasks}
        self.viewed: dict[str, tuple[int, float]] = {}  # person -> place on the screen, since when

    def cards(self, who: str) -> list[Card]:
        """Every candidate as this person sees it, in order of priority."""
        events = self.journal.events()
        current, flags = find_current(events, Verdict), find_current(events, Flag)
        return [
            self._build_card(
                place, task, priority, current.get(task.id, {}), flags.get(task.id, {}), who
            )
            for place, (task, priority) in enumerate(self.order, 1)
        ]

    def _build_card(
        self,
        place: int,
        task: Task,
        priority: Priority,
        current: Mapping[str, Event],
        flags: Mapping[str, Event],
        who: str,
    ) -> Card:
        valid = verdicts.select_valid(current, task, self.shown[task.id])
        outcome = verdicts.settle(task, valid, self.p.double.needed(task))
        mine = current.get(who) if who in valid else None
        # Nobody sees another verdict before giving one: a second opinion must be independent.
        others = {name: current[name] for name in valid if name != who and mine}
        return Card(
            place,
            task,
            self.suite.prompt(task).language,
            priority,
            outcome,
            mine,
            others,
            {name: event.after for name, event in flags.items() if isinstance(event.after, Flag)},
        )

    def mark_viewed(self, place: int, who: str) -> None:
        """Hold a place for this person, and no other, for `p.held` seconds."""
        self.viewed[who] = place, time.monotonic()

    def find_next(self, cards: Iterable[Card], who: str, after: int = 0) -> int | None:
        """The next place that this person can review, then the next conflict behind `after`.

        None if there is none left. Conflicts come once: whoever keeps a verdict is not led back.
        """
        ordered = list(cards)
        todo = [card.place for card in ordered if card.status == "todo"]
        free = [place for place in todo if not self._is_held_for_another(place, who)]
        if todo:
            return min(free or todo, key=lambda place: (place <= after, place))
        return find_conflict(ordered, after)

    def _is_held_for_another(self, place: int, who: str) -> bool:
        """Held places keep two people from reviewing the same task at once."""
        now = time.monotonic()
        return any(
            viewed == place and viewer != who and now - since < self.p.held
            for viewer, (viewed, since) in list(self.viewed.items())
        )


def find_conflict(cards: Iterable[Card], after: int) -> int | None:
    """The next place behind `after` whose conflict this person is a part of; None at the end."""
    return next((card.place for card in cards if card.is_my_conflict and card.place > after), None)


def count_progress(cards: Sequence[Card]) -> Progress:
    """This person's own progress: what others have to do is no part of it."""
    counts = Counter[str](card.status for card in cards)
    done = sum(card.mine is not None for card in cards)
    conflicts = sum(card.is_my_conflict for card in cards)
    return Progress(done, done + counts["todo"], conflicts, len(cards), counts)
