"""What the reviews of a drafted task come to."""

import hashlib
import random
from collections.abc import Mapping
from typing import Literal

import msgspec

from agent_tuning.quality.validation import POSITIVE_KINDS
from agent_tuning.records import Decision, Record, Turn, User
from benchmark.annotation.web.events import Event, Verdict
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Suite, Task

REJECTION_REASONS = {
    "unclear": "the query is unclear",
    "ambiguous": "two tools fit as well",
    "ungrounded": "an argument is not said",
    "unnatural": "nobody would say it so",
    "duplicate": "another task asks the same",
    "unsafe": "against policy, or private",
    "other": "see the comment",
}
State = Literal["open", "conflict", "rejected", "ready"]


class DoubleReview(Record, frozen=True):
    """Which tasks two people review: a share of them (0-1), drawn by the seed."""

    seed: int
    share: float

    def needed(self, task: Task) -> int:
        return 2 if random.Random(f"{self.seed}:{task.id}").random() < self.share else 1


class ReviewOutcome(Record, frozen=True):
    """`task` is the one that everybody agrees on; None where it is open or rejected."""

    state: State
    task: Task | None = None
    detail: str = ""
    reply: str = ""  # to train on where no tool is called


def hash_task(suite: Suite, task: Task) -> str:
    """Of everything a reviewer sees: a verdict does not hold for a task that has changed since."""
    seen = msgspec.json.encode((task, suite.tools_of(task)), order="sorted")
    return hashlib.blake2b(seen, digest_size=8).hexdigest()


def select_valid(held: Mapping[str, Event], shown: str) -> dict[str, Verdict]:
    """The verdicts of one task by person, but those on another wording of it."""
    return {
        who: event.after
        for who, event in sorted(held.items())
        if isinstance(event.after, Verdict) and event.shown == shown
    }


def settle(task: Task, verdicts: Mapping[str, Verdict], needed: int) -> ReviewOutcome:
    said = {who: apply_verdict(task, verdict) for who, verdict in verdicts.items()}
    if len({msgspec.json.encode(found, order="sorted") for found in said.values()}) > 1:
        return ReviewOutcome(
            "conflict", detail=", ".join(map(_clause, verdicts, verdicts.values()))
        )
    if len(said) < needed:
        return ReviewOutcome("open", detail=f"{len(said)} of {needed} reviews")
    agreed = next(iter(said.values()))
    reasons = sorted({verdict.reason for verdict in verdicts.values()})
    reply = next((verdict.reply for verdict in verdicts.values() if verdict.reply), "")
    return ReviewOutcome("ready" if agreed else "rejected", agreed, " ".join(reasons), reply)


def apply_verdict(task: Task, verdict: Verdict) -> Task | None:
    """The task as a verdict leaves it; None after a rejection.

    Another decision makes another kind of task. Training knows the phrasings of drafts, not the
    words that a person gave them: in `axes` a reworded query is an unseen one.
    """
    if verdict.action == "reject":
        return None
    if verdict.action == "approve":
        return task
    kind = _kind(task.kind, verdict.golds[0].decision)
    now = msgspec.structs.replace(task, golds=verdict.golds, kind=kind)
    if verdict.query in ("", last_user_text(task)):
        return now
    axes = {axis: "unseen" if axis == "query" else side for axis, side in task.axes.items()}
    return msgspec.structs.replace(now, turns=reword(task, verdict.query), axes=axes)


def _kind(drafted: str, decision: Decision) -> str:
    """What a task was drafted for, unless it has become something else."""
    if (decision == "call") == (drafted in POSITIVE_KINDS):
        return drafted
    return {"call": "call", "ask": "missing", "no_call": "topic"}[decision]


def reword(task: Task, words: str) -> tuple[Turn, ...]:
    """The turns with other words in place of the last ones of the user."""
    last = max(n for n, turn in enumerate(task.turns) if isinstance(turn, User))
    return (*task.turns[:last], User(words), *task.turns[last + 1 :])


def _clause(who: str, verdict: Verdict) -> str:
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{who}: {verdict.action}{reason}"
