"""Answers that deserve nothing gain nothing, whatever the task and its format."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.engines.answer import Answer
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import ScoredAnswer, score_answers
from benchmark.tasks import suites

HOUSE = suites.read(Path("benchmark/suites/house"))
RULES: dict[str, Any] = {**DEGENERATE, **BASELINES}
SCORES = (
    "em",
    "text",
    "score",
    "score_gated",
    "kagent_plan",
    "kagent_tool",
    "call_exact_match",
    "args_f1",
)
UNREADABLE = ("empty", "garbage", "bare_description", "bare_menu", "query_as_text", "cut_off")


def lines(name: str) -> list[ScoredAnswer]:
    rule = RULES[name]
    answers = {task.id: Answer(task.id, rule(task, HOUSE.prompt(task))) for task in HOUSE.tasks}
    return list(score_answers(HOUSE, name, answers, TEXT_SCORERS["rouge_l"], 0.5))


GOLD = lines("gold")


def test_the_gold_itself_scores_all_there_is() -> None:
    for line in GOLD:
        assert {getattr(line.score, name) for name in SCORES} <= {None, 1, 1.5}, line.task
        assert line.score.score in (None, 1.5)


@pytest.mark.parametrize("name", RULES)
def test_nothing_scores_above_the_gold(name: str) -> None:
    for line, gold in zip(lines(name), GOLD, strict=True):
        for score in SCORES:
            ours, best = getattr(line.score, score), getattr(gold.score, score)
            assert ours is None or 0 <= ours <= best, (line.task, score)


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_in_no_format_is_malformed_and_scores_nothing(name: str) -> None:
    for line in lines(name):
        assert line.outcome == Verdict.MALFORMED, line.answer
        assert not any(getattr(line.score, score) for score in SCORES)


@pytest.mark.parametrize("name", ["every_tool", "repeated_calls", "wrong_decision"])
def test_what_calls_too_much_or_not_at_all_has_no_call_right(name: str) -> None:
    for line in lines(name):
        if line.wanted == "call":
            assert not any((line.score.em, line.score.call_exact_match, line.score.score_gated))


def test_invented_arguments_cost_the_arguments() -> None:
    for line, gold in zip(lines("invented_arguments"), GOLD, strict=True):
        if line.wanted == "call":
            assert line.score.call_exact_match == 0
            assert (line.score.args_f1 or 0) < (gold.score.args_f1 or 0)
        else:
            assert line.score.em == 0


def test_repeating_the_description_costs_likeness() -> None:
    assert all((line.score.text or 0) < 1 for line in lines("repeated_description"))
