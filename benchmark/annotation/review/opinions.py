"""The opinions on one task beside each other: who changed what, against the draft."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmark.annotation.review import verdicts
from benchmark.annotation.review.diff import diff_lines
from benchmark.annotation.review.queue import Card
from benchmark.annotation.web.events import Event, Verdict


class Opinion(NamedTuple):
    """One person's verdict; `lines` are what it changes in the draft, in a conflict."""

    who: str
    is_mine: bool
    number: int  # of the event, so that only what was seen is taken over
    verdict: Verdict
    lines: list[tuple[str, str]]


def list_opinions(card: Card, who: str) -> Iterator[Opinion]:
    """This person's opinion, then those of others. Nothing before this person has one."""
    events = {who: card.mine} if card.mine else {}
    for name, event in (events | dict(card.others)).items():
        if isinstance(event.after, Verdict):
            lines = _diff(card, event.after) if card.status == "conflict" else []
            yield Opinion(name, name == who, event.number, event.after, lines)


def _diff(card: Card, verdict: Verdict) -> list[tuple[str, str]]:
    corrected = verdicts.apply_verdict(card.task, verdict)
    return diff_lines(card.task, corrected) if corrected and verdict.golds else []


def find_taken(card: Card, name: str, number: int) -> Event | None:
    """The verdict of another that is taken over; None if it is not the one that was seen."""
    event = card.others.get(name)
    return event if event and event.number == number else None
