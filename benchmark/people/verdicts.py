"""What the reviews of a drafted task come to."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from benchmark.people.events import Event, Verdict
from benchmark.suites import Gold, Suite, Task
from trajectory.records import Record

REASONS = {
    "unclear": "the query is unclear",
    "ambiguous": "two tools fit as well",
    "ungrounded": "an argument is not said",
    "unnatural": "nobody would say it so",
    "duplicate": "another task asks the same",
    "unsafe": "against policy, or private",
    "other": "see the comment",
}
State = Literal["open", "conflict", "rejected", "ready"]


class Double(Record, frozen=True):
    """Which tasks two people review: a share of them (0-1), drawn by the seed."""

    seed: int
    share: float

    def needed(self, task: Task) -> int:
        return 2 if random.Random(f"{self.seed}:{task.id}").random() < self.share else 1


class Settled(Record, frozen=True):
    """`golds` are those that everybody agrees on; none of a task that is rejected."""

    state: State
    golds: tuple[Gold, ...] = ()
    detail: str = ""


def digest(suite: Suite, task: Task) -> str:
    """Of everything a reviewer sees: a verdict does not hold for a task that has changed since."""
    seen = msgspec.json.encode((task, suite.menu(task)), order="sorted")
    return hashlib.blake2b(seen, digest_size=8).hexdigest()


def valid(held: Mapping[str, Event], shown: str) -> dict[str, Verdict]:
    """The verdicts of one task by person, but those on another wording of it."""
    return {
        who: event.after
        for who, event in sorted(held.items())
        if isinstance(event.after, Verdict) and event.shown == shown
    }


def settle(task: Task, verdicts: Mapping[str, Verdict], needed: int) -> Settled:
    said = {who: golds(task, verdict) for who, verdict in verdicts.items()}
    if len(set(map(_key, said.values()))) > 1:
        return Settled("conflict", detail=", ".join(map(_clause, verdicts, verdicts.values())))
    if len(said) < needed:
        return Settled("open", detail=f"{len(said)} of {needed} reviews")
    agreed = next(iter(said.values()))
    reasons = sorted({verdict.reason for verdict in verdicts.values()})
    return Settled("ready" if agreed else "rejected", agreed, " ".join(reasons))


def golds(task: Task, verdict: Verdict) -> tuple[Gold, ...]:
    """The golds that a verdict leaves the task with; none after a rejection."""
    return {"approve": task.golds, "correct": verdict.golds, "reject": ()}[verdict.action]


def _key(golds: Sequence[Gold]) -> bytes:
    return msgspec.json.encode(golds, order="sorted")


def _clause(who: str, verdict: Verdict) -> str:
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{who}: {verdict.action}{reason}"
