"""The engine `served`: tasks as messages and tools, and any server's answers in one table."""

from pathlib import Path

import msgspec
import pytest

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Assistant, BadInput, Call, ToolResult, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.engine import ENGINES
from benchmark.engines.served_engine import Function, ServedMessage, ToolCall, write_answer
from benchmark.scoring.outcome import parse_answer
from benchmark.tasks import suites
from benchmark.tasks.requests import build_requests
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, Suite, Task
from tests.benchmark.engines.test_engines import at
from tests.conftest import CLOCK, WEATHER, prompt_in
from tests.support.chat_server import ChatServer

LOOK = Assistant("call", "Look it up.", (Call("get_weather", {"city": "上海"}),))
TURNS = (User("Weather in 上海?"), LOOK, ToolResult("get_weather", {"sky": "晴"}))
NO_CALL = (Gold("no_call"),)


def message(*calls: tuple[str, str], content: str | None = None) -> ServedMessage:
    return ServedMessage(content, [ToolCall(Function(*call)) for call in calls] or None)


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Path:
    """A folder with one suite, of a first step and a second one."""
    prompt = SuitePrompt("s/p", "en", ("get_weather", "get_time"), NATIVE, NATIVE, NATIVE)
    tasks = [
        Task("s/1", "s/p", (User("Hi."),), NO_CALL, "call"),
        Task("s/2", "s/p", TURNS, NO_CALL, "chain"),
    ]
    folder = tmp_path_factory.mktemp("asked")
    tools = {"get_weather": WEATHER, "get_time": CLOCK}
    suites.write(folder / "s", Suite("s", tools, {"s/p": prompt}, tuple(tasks)))
    return folder


@pytest.fixture(scope="module")
def groups(base, asked) -> list[QuestionGroup]:
    return list(build_requests(suites.read(asked / "s"), ChatTokenizer(base / "tokenizer.json")))


def answered(base, url, groups, asked) -> dict[str, Answer]:
    engine = ENGINES["served"](base, "tuned", at(url, engine="served"), asked)
    return {answer.task: answer for batch in engine.answers(groups, ()) for answer in batch}


def test_a_server_gets_messages_and_tools_and_its_calls_are_the_answer(base, groups, asked):
    call = {"id": "x", "type": "function"}
    call["function"] = {"name": "get_time", "arguments": '{"city": "Oslo"}'}
    reply = {"content": "Look.", "tool_calls": [call]}
    with ChatServer({}, default=reply).running_in_a_thread() as server:
        answers = answered(base, server.url, groups, asked)
    expected = Assistant("call", "Look.", (Call("get_time", {"city": "Oslo"}),))
    assert {answer.text for answer in answers.values()} == {REPLY_FORMATS[NATIVE].write(expected)}
    bodies = [msgspec.json.decode(body) for body in server.bodies]
    assert all(
        [tool["function"]["name"] for tool in body["tools"]] == ["get_weather", "get_time"]
        for body in bodies
    )
    (history,) = (body["messages"] for body in bodies if len(body["messages"]) == 3)
    assert history[1]["content"] == "Look it up."
    assert history[1]["tool_calls"][0]["function"]["arguments"] == '{"city": "上海"}'
    assert history[2] == {
        "role": "tool",
        "tool_call_id": history[1]["tool_calls"][0]["id"],
        "content": '{"sky": "晴"}',
    }


def test_an_answer_that_the_server_cut_is_malformed(base, groups, asked):
    with ChatServer({}, faults={0: "length", 1: "length"}).running_in_a_thread() as server:
        answers = answered(base, server.url, groups, asked)
    assert all(answer.cut for answer in answers.values())


def test_a_request_that_holds_more_than_its_task_is_refused(base, groups, asked):
    other = [msgspec.structs.replace(group, prefix=(*group.prefix, 7)) for group in groups]
    with (
        ChatServer({}).running_in_a_thread() as server,
        pytest.raises(BadInput, match=r"s/\d: the request holds more than the task"),
    ):
        answered(base, server.url, other, asked)


def test_a_missing_folder_of_suites_is_one_line(base, groups, tmp_path):
    with pytest.raises(BadInput, match="needs --suites"):
        answered(base, "http://127.0.0.1:9", groups, None)
    with pytest.raises(BadInput, match="no suites"):
        answered(base, "http://127.0.0.1:9", groups, tmp_path)


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
@pytest.mark.parametrize(
    ("served", "turn"),
    [
        (message(("get_weather", '{"city": "Oslo"}'), content="Look."), LOOK.calls),
        (message(("get_time", "")), (Call("get_time"),)),
        (message(content="Which city?"), "ask"),
        (message(content="Clear."), "no_call"),
        (ServedMessage(refusal="I would rather not."), "no_call"),
    ],
)
def test_an_answer_is_read_back_in_every_reply_format(reply_format, served, turn):
    spec = prompt_in(reply_format)
    parsed = parse_answer(spec, Answer("t", write_answer(served, spec))).turn
    assert parsed is not None
    if isinstance(turn, str):
        assert parsed.decision == turn
    else:
        assert [call.name for call in parsed.calls] == [call.name for call in turn]


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
@pytest.mark.parametrize("arguments", ['{"city": ', "Oslo", "[1]", "null"])
def test_arguments_that_are_no_object_make_an_answer_malformed(reply_format, arguments):
    spec = prompt_in(reply_format)
    text = write_answer(message(("get_weather", arguments)), spec)
    assert parse_answer(spec, Answer("t", text)).verdict == "malformed"
