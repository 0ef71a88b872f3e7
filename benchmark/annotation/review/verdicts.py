"""The outcome of the reviews of a drafted task."""

import hashlib
import random
from collections.abc import Mapping
from typing import Literal

import msgspec

from agent_tuning.quality.validation import POSITIVE_KINDS
from agent_tuning.records import Decision, Record, Turn, User
from agent_tuning.runtime.ranges import Seed, Share
from benchmark.annotation.web.events import Event, Verdict
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Suite, Task

REJECTION_REASONS = {
    "unclear": "the query is unclear",
    "ambiguous": "two tools fit equally well",
    "ungrounded": "an argument is not in the dialogue",
    "unnatural": "the wording is unnatural",
    "duplicate": "another task has the same request",
    "unsafe": "against policy, or private",
    "other": "see the comment",
}
CALL_KINDS = (*POSITIVE_KINDS, "follow_up", "nested")
State = Literal["open", "conflict", "rejected", "ready"]


class DoubleReview(Record, frozen=True):
    """Which tasks two people review: a share of them (0-1), drawn by the seed."""

    seed: Seed
    share: Share

    def needed(self, task: Task) -> int:
        """How many reviews the task needs."""
        return 2 if random.Random(f"{self.seed}:{task.id}").random() < self.share else 1


class ReviewOutcome(Record, frozen=True):
    """`task` is the one that everybody agrees on; None while it is open or if it is rejected."""

    state: State
    task: Task | None = None
    detail: str = ""
    reply: str = ""  # to train on, where no tool is called


def hash_task(suite: Suite, task: Task) -> str:
    """A hash of all that a reviewer sees. A verdict holds only while the hash is the same."""
    seen = msgspec.json.encode((task, suite.prompt(task)), order="sorted")
    return hashlib.blake2b(seen, digest_size=8).hexdigest()


def select_valid(current: Mapping[str, Event], task: Task, shown_hash: str) -> dict[str, Verdict]:
    """The verdicts on one task by person, without those on an earlier wording of it.

    A correction also holds for the task that it has made: an overlay brings it into a suite.
    """
    return {
        who: event.after
        for who, event in sorted(current.items())
        if isinstance(event.after, Verdict)
        and (event.shown == shown_hash or _has_made(event.after, task))
    }


def _has_made(verdict: Verdict, task: Task) -> bool:
    is_worded_so = verdict.query in ("", last_user_text(task))
    return verdict.action == "correct" and verdict.golds == task.golds and is_worded_so


def settle(task: Task, verdicts: Mapping[str, Verdict], needed: int) -> ReviewOutcome:
    """The outcome of all verdicts on a task that needs so many."""
    results = {who: apply_verdict(task, verdict) for who, verdict in verdicts.items()}
    if len({msgspec.json.encode(result, order="sorted") for result in results.values()}) > 1:
        clauses = map(_describe_verdict, verdicts, verdicts.values())
        return ReviewOutcome("conflict", detail=", ".join(clauses))
    if len(results) < needed:
        return ReviewOutcome("open", detail=f"{len(results)} of {needed} reviews")
    agreed = next(iter(results.values()))
    reasons = sorted({verdict.reason for verdict in verdicts.values()})
    reply = next((verdict.reply for verdict in verdicts.values() if verdict.reply), "")
    return ReviewOutcome("ready" if agreed else "rejected", agreed, " ".join(reasons), reply)


def apply_verdict(task: Task, verdict: Verdict) -> Task | None:
    """The task as a verdict leaves it; None after a rejection.

    Another decision makes another kind of task. A reworded query counts as unseen in `axes`:
    training knows the phrasings of drafts, not the words that a person wrote.
    """
    if verdict.action == "reject":
        return None
    if verdict.action == "approve":
        return task
    kind = _choose_kind(task.kind, verdict.golds[0].decision)
    corrected = msgspec.structs.replace(task, golds=verdict.golds, kind=kind)
    if verdict.query in ("", last_user_text(task)):
        return corrected
    axes = {axis: "unseen" if axis == "query" else side for axis, side in task.axes.items()}
    return msgspec.structs.replace(corrected, turns=reword(task, verdict.query), axes=axes)


def _choose_kind(drafted: str, decision: Decision) -> str:
    """The kind of the draft, unless the decision makes it another."""
    if (decision == "call") == (drafted in CALL_KINDS):
        return drafted
    return {"call": "call", "ask": "missing_argument", "no_call": "on_topic_chat"}[decision]


def reword(task: Task, query: str) -> tuple[Turn, ...]:
    """The task's turns with another text in the last turn of the user."""
    last = max(index for index, turn in enumerate(task.turns) if isinstance(turn, User))
    return (*task.turns[:last], User(query), *task.turns[last + 1 :])


def _describe_verdict(who: str, verdict: Verdict) -> str:
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{who}: {verdict.action}{reason}"
