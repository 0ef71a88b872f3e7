"""Worked examples come from the training data, in the group's own format, before its questions."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Assistant, BadInput, Call, Trajectory, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from benchmark.tasks.requests import build_requests
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, Suite, Task
from benchmark.tasks.worked_examples import ExamplePool, WorkedExamplesConfig, add_worked_examples
from stages import shots as stage
from tests.conftest import CLOCK, WEATHER

BOTH = WorkedExamplesConfig(suite="house", call=1, no_call=1)


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
    spec = suite.specs["h"]
    question = tuple(chat.question(suite.tasks[0].turns, spec))
    groups_asked = [
        QuestionGroup("h", ("",), tuple(chat.prefix(spec)), {"house/1": question}),
        QuestionGroup("b", ("",), tuple(chat.prefix(spec)), {"bfcl/1": (7,)}),
    ]
    (group,) = add_worked_examples(groups_asked, suite, ExamplePool(groups), p, chat)
    assert group.prefix[: len(groups_asked[0].prefix)] == groups_asked[0].prefix
    assert group.questions == groups_asked[0].questions
    return chat.text(group.prefix[len(groups_asked[0].prefix) :])


def test_a_call_of_the_menu_comes_first_then_a_decision_for_no_tool(base, known, suite):
    prompt = text(base, known, suite)
    assert "get_weather" not in prompt
    assert prompt.index("Time in Rome?") < prompt.index("<tool_call>") < prompt.index("Nice day")
    assert prompt.endswith("<answer>I see.</answer>\n")


def test_the_order_of_the_training_data_changes_no_example(base, known, suite):
    assert text(base, known, suite) == text(base, known[::-1], suite)


def test_fewer_examples_than_wanted_are_one_clear_line(base, groups, suite):
    with pytest.raises(BadInput, match=r"shots\.no_call: expected 7 en examples"):
        text(base, groups, suite, WorkedExamplesConfig(suite="house", call=0, no_call=7))


def test_native_examples_and_question_are_one_native_conversation(base, known, suite):
    suite = replace(suite, prompts={id: one.make_native() for id, one in suite.prompts.items()})
    chat, spec, (task,) = ChatTokenizer(base / "tokenizer.json"), suite.specs["h"], suite.tasks
    prefix, question = chat.prefix(spec), chat.question(task.turns, spec)
    asked = [QuestionGroup("h", ("",), tuple(prefix), {task.id: tuple(question)})]
    (group,) = add_worked_examples(asked, suite, ExamplePool(known), BOTH, chat)
    shown = chat.text(group.prefix[len(prefix) :])
    assert shown.index("Time in Rome?") < shown.index("<tool_call>") < shown.index("Nice day")
    assert group.questions[task.id] == tuple(question)


def test_the_stage_puts_examples_before_the_suite_of_the_recipe_alone(
    base, known, suite, tmp_path, monkeypatch
):
    chat = ChatTokenizer(base / "tokenizer.json")
    requests = []
    for name in ("house", "shop"):
        task = msgspec.structs.replace(suite.tasks[0], id=f"{name}/1")
        own = replace(suite, name=name, tasks=(task,))
        suites.write(tmp_path / "asked" / name, own)
        requests += build_requests(own, chat)
    jsonl.write(tmp_path / "requests.jsonl", requests)
    jsonl.write(tmp_path / "training.jsonl", known)
    monkeypatch.chdir(tmp_path)
    section = {"suite": "shop", "call": 1, "no_call": 1}
    Path("params.yaml").write_bytes(msgspec.yaml.encode({"shots": section}))
    stage.main(*map(Path, ("asked", "requests.jsonl", "training.jsonl", base, "shots.jsonl")))
    (group,) = jsonl.read(Path("shots.jsonl"), QuestionGroup)
    assert group.questions.keys() == {"shop/1"}
    assert len(group.prefix) > len(requests[1].prefix)
