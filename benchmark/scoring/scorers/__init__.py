"""The scores of one task: decision first, then arguments and the task description."""

import json
from collections.abc import Sequence

import msgspec

from agent_tuning.records import Assistant, Json, Record
from benchmark.scoring.scorers.arguments import args_f1, args_similarity, call_exact_match
from benchmark.scoring.scorers.match import em
from benchmark.scoring.scorers.text import TEXT_SCORERS, TextScorer, scorer_signature
from benchmark.tasks.suites import Gold, Task

__all__ = ["TEXT_SCORERS", "Score", "TextScorer", "score_turn", "scorer_signature"]


class Score(Record, frozen=True):
    """None where a score has no meaning: no gold has a description, or no call is due."""

    em: int
    text: float | None = None
    score: float | None = None  # em + λ·text, the headline
    score_gated: float | None = None  # text cannot rescue a wrong tool
    kagent_plan: float | None = None
    kagent_tool: float | None = None
    call_exact_match: int | None = None
    args_f1: float | None = None


def score_turn(task: Task, turn: Assistant | None, text_scorer: TextScorer, lam: float) -> Score:
    """Score what was read from an answer; `turn` is None where nothing could be read."""
    right = em(task.golds, turn)
    plain = Score(right)
    if task.decision == "call":
        calls = _CallScores(task.golds, turn, text_scorer)
        plain = Score(
            right,
            kagent_tool=calls.kagent_tool,
            call_exact_match=calls.call_exact_match,
            args_f1=calls.args_f1,
        )
    text = _score_text(task.golds, turn, text_scorer)
    if text is None:
        return plain
    return msgspec.structs.replace(
        plain,
        text=text,
        score=right + lam * text,
        score_gated=(right + lam * right * text) / (1 + lam),
        kagent_plan=right * text,
    )


def _score_text(
    golds: Sequence[Gold], turn: Assistant | None, text_scorer: TextScorer
) -> float | None:
    """The best score against the thought of a gold; None where no gold has one."""
    thoughts = [gold.thought for gold in golds if gold.thought]
    if not thoughts:
        return None
    return max(text_scorer(thought, turn.thought) for thought in thoughts) if turn else 0.0


class _CallScores:
    """The scores of a call: each the best over the golds that call."""

    def __init__(
        self, golds: Sequence[Gold], turn: Assistant | None, text_scorer: TextScorer
    ) -> None:
        self.golds = [gold for gold in golds if gold.decision == "call"]
        self.turn = turn
        self.calls = turn.calls if turn else ()
        self.text_scorer = text_scorer

    @property
    def call_exact_match(self) -> int:
        return max(call_exact_match(gold.calls, self.calls) for gold in self.golds)

    @property
    def args_f1(self) -> float:
        return max(args_f1(gold.calls, self.calls) for gold in self.golds)

    @property
    def kagent_tool(self) -> float:
        """em of the tool names, times the mean text score of the argument values."""
        return max(
            em([gold], self.turn) * args_similarity(gold.calls, self.calls, self._compare_values)
            for gold in self.golds
        )

    def _compare_values(self, gold: Json, value: Json) -> float:
        return self.text_scorer(_write_value(gold), _write_value(value))


def _write_value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
