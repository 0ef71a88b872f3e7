"""Reviews and ratings as events, which are only ever added: who, when, what, and what before."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec

from agent_tuning.records import Record
from benchmark.tasks.suites import Gold

PERSON_NAME = re.compile(r"\w[\w .-]{0,31}")  # also stands in URLs, files and metrics
Action = Literal["approve", "correct", "reject"]


class Verdict(Record, frozen=True, tag="verdict", tag_field="kind"):
    """A review of a drafted task."""

    action: Action
    golds: tuple[Gold, ...] = ()  # of a correction
    reason: str = ""  # of a rejection, a key of REJECTION_REASONS
    comment: str = ""
    query: str = ""  # of a correction: the user's new words, if they are changed
    reply: str = ""  # of a correction without a call: the text for the user, to train on
    taken_from: str = ""  # the person whose verdict this one repeats, to end a conflict

    def __post_init__(self) -> None:
        if (self.action == "correct") != bool(self.golds):
            raise ValueError(f"{self.action} with {len(self.golds)} golds")
        if (self.action == "reject") != bool(self.reason):
            raise ValueError(f"{self.action} with reason {self.reason!r}")
        if (self.query or self.reply) and self.action != "correct":
            raise ValueError(f"{self.action} with other words")


class Rating(Record, frozen=True, tag="rating", tag_field="kind"):
    """A score for an answer: 1-5 by the bands, 0 for a veto."""

    score: Annotated[int, msgspec.Meta(ge=0, le=5)]
    comment: str = ""


class Flag(Record, frozen=True, tag="flag", tag_field="kind"):
    """Somebody has to look at a task again before it is merged; the note says why."""

    note: str = ""


Opinion = Verdict | Rating | Flag


class Event(Record, frozen=True):
    """One action. `number` counts a person's events, so their order needs no clock."""

    subject: str  # the id of a task under review, or of an answer
    who: str
    number: int
    when: str  # UTC, ISO 8601
    before: Opinion | None = None
    after: Opinion | None = None  # None: taken back
    takes_back: int = 0  # the number of the event that this one undoes
    shown: str = ""  # a hash of what the person saw

    @property
    def key(self) -> tuple[str, int]:
        return self.who, self.number

    def concerns(self, kind: type[Opinion]) -> bool:
        """Whether the event gives or takes back an opinion of this kind."""
        return isinstance(self.after or self.before, kind)


def find_current(events: Iterable[Event], kind: type[Opinion]) -> dict[str, dict[str, Event]]:
    """Map subject -> person -> the event with the person's current opinion of this kind."""
    current: dict[str, dict[str, Event]] = {}
    for event in sorted(events, key=lambda event: event.key):
        if not event.concerns(kind):
            continue
        by_person = current.setdefault(event.subject, {})
        if event.after is None:
            by_person.pop(event.who, None)
        else:
            by_person[event.who] = event
    return {subject: by_person for subject, by_person in current.items() if by_person}


def find_undoable(mine: Sequence[Event]) -> Event | None:
    """The last event of one person that is neither an undo nor undone."""
    undone = {event.takes_back for event in mine}
    left = [event for event in mine if not event.takes_back and event.number not in undone]
    return left[-1] if left else None
