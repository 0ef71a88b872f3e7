"""Worked examples come from the training data, in the group's own format, before its questions."""

import msgspec
import pytest

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Assistant, BadInput, Call, Trajectory, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, Suite, Task
from benchmark.tasks.worked_examples import ExamplePool, WorkedExamplesConfig, add_worked_examples
from tests.conftest import CLOCK, WEATHER

BOTH = WorkedExamplesConfig(call=1, no_call=1)


@pytest.fixture
def suite() -> Suite:
    task = Task(
        id="house/1",
        prompt="h",
        turns=(User("Late in Oslo?"),),
        golds=(Gold("no_call"),),
        kind="on_topic_chat",
    )
    prompt = SuitePrompt("h", "en", ("get_time",), "plain.en", "react", "hermes")
    tools = {"get_weather": WEATHER, "get_time": CLOCK}
    return Suite("house", tools, {"h": prompt}, (task,))


@pytest.fixture
def known(groups):
    """The groups, and one call of the tool on the list among many others."""
    turns = (
        User("Time in Rome?"),
        Assistant("call", "Ask.", (Call("get_time", {"city": "Rome"}),)),
    )
    timed = Trajectory("timed", turns, "call", "en", "get_time")
    return [*groups, msgspec.structs.replace(groups[0], id="t", trajectories=(timed,))]


def text(base, groups, suite, p=BOTH) -> str:
    chat = ChatTokenizer(base / "tokenizer.json")
    groups_asked = [
        QuestionGroup("h", ("",), tuple(chat.prefix("Tools.")), {"house/1": (5, 6)}),
        QuestionGroup("b", ("",), tuple(chat.prefix("Others.")), {"bfcl/1": (7,)}),
    ]
    (group,) = add_worked_examples(groups_asked, suite, ExamplePool(groups), p, chat)
    assert group.prefix[: len(groups_asked[0].prefix)] == groups_asked[0].prefix
    assert group.questions == groups_asked[0].questions
    return chat.text(group.prefix)


def test_a_call_of_the_menu_comes_first_then_a_decision_for_no_tool(base, known, suite):
    prompt = text(base, known, suite)
    assert "get_weather" not in prompt
    assert prompt.index("Time in Rome?") < prompt.index("<tool_call>") < prompt.index("Nice day")
    assert prompt.endswith("<answer>I see.</answer>\n")


def test_the_order_of_the_training_data_changes_no_example(base, known, suite):
    assert text(base, known, suite) == text(base, known[::-1], suite)


def test_fewer_examples_than_wanted_are_one_clear_line(base, groups, suite):
    with pytest.raises(BadInput, match=r"shots\.no_call: expected 7 en examples"):
        text(base, groups, suite, WorkedExamplesConfig(call=0, no_call=7))
