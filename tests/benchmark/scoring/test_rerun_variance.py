"""The rerun variance: a fixed part of the questions, and what changes in other batches."""

import pytest

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Assistant, User
from benchmark.engines.answer import Answer
from benchmark.scoring.rerun_variance import choose_groups, measure_rerun_variance
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, Suite, Task
from tests.conftest import WEATHER

GROUPS = [QuestionGroup(f"g{number}", ("",), (1,), {f"t{number}": (2,)}) for number in range(40)]
DECLINES = REPLY_FORMATS["react"].write(Assistant("no_call", "Answer directly.", text="No."))


def suite(name: str, count: int) -> Suite:
    tasks = tuple(
        Task(
            id=f"{name}/{number}",
            prompt="g",
            turns=(User("Hi."),),
            golds=(Gold("no_call"),),
            kind="on_topic_chat",
        )
        for number in range(count)
    )
    prompt = SuitePrompt("g", "en", ("get_weather",), "plain.en", "react", "react")
    return Suite(name, {"get_weather": WEATHER}, {"g": prompt}, tasks)


def test_the_part_is_fixed_whatever_the_order_and_stays_when_others_come():
    chosen = {group.group for group in choose_groups(GROUPS, 0.1)}
    assert len(chosen) == 4
    assert {group.group for group in choose_groups(GROUPS[::-1], 0.1)} == chosen
    assert chosen <= {group.group for group in choose_groups(GROUPS, 0.3)}


@pytest.mark.parametrize(
    ("texts", "equal", "flipped"),
    [
        pytest.param([DECLINES] * 4, 1.0, 0.0, id="the same"),
        pytest.param([DECLINES] * 3 + [DECLINES + "!"], 0.75, 0.0, id="other words"),
        pytest.param([DECLINES] * 3 + ["Action:"], 0.75, 0.25, id="another decision"),
    ],
)
def test_only_questions_that_were_answered_again_count(texts, equal, flipped):
    suites = [suite("house", 6), suite("bfcl", 2)]
    first = {task.id: Answer(task.id, DECLINES) for suite in suites for task in suite.tasks}
    tasks = ["house/0", "house/1", "house/2", "bfcl/1"]
    again = {task: Answer(task, text) for task, text in zip(tasks, texts, strict=True)}
    variance = measure_rerun_variance(suites, first, again)
    assert (variance["asked"], variance["equal"], variance["em_flipped"]) == (4, equal, flipped)
    assert variance["em_difference"] == flipped
