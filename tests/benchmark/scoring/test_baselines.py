"""Baselines answer every task, in its own format, without a model."""

from typing import Any

import pytest

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.quality.word_overlap import WordOverlap, split_words
from agent_tuning.records import PromptSpec, Tool, User
from benchmark.engines.answer import Answer
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.outcome import ParsedAnswer, Verdict, parse_answer
from benchmark.tasks.suites import Gold, Task


def tool(name: str, description: str, **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name, description, schema)


STRING = {"type": "string"}
TOOLS = (
    tool("convert_currency", "Convert money.", amount={"type": "number"}, to=STRING),
    tool("getWeather", "Weather forecast of a city.", city=STRING, days={"type": "integer"}),
    tool("查火车", "查询两个城市之间的火车票。", 出发=STRING),
    tool("set_lamp", "Switch a lamp.", state={"type": "string", "enum": ["on", "off"]}),
)
ODD = tool(
    "odd",
    "Every type of argument.",
    flag={"type": "boolean"},
    many={"type": "array", "items": {"type": "integer"}},
    inner={"type": "object"},
    free={},
    either={"type": ["string", "null"]},
)


def task(query: str) -> Task:
    return Task("t1", "g", (User(query),), (Gold("no_call"),), "call")


def offer(tools: tuple[Tool, ...], reply_format: str = "react") -> PromptSpec:
    return PromptSpec("g", "en", tools, reply_format=reply_format)


def parse_baseline(
    name: str, query: str, tools: tuple[Tool, ...] = TOOLS, form: str = "react"
) -> ParsedAnswer:
    prompt = offer(tools, form)
    return parse_answer(prompt, Answer("t1", BASELINES[name](task(query), prompt)))


def called(name: str, query: str, tools: tuple[Tool, ...] = TOOLS) -> tuple[str, Any]:
    turn = parse_baseline(name, query, tools).turn
    assert turn is not None
    return turn.calls[0].name, turn.calls[0].arguments


@pytest.mark.parametrize("form", REPLY_FORMATS)
@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("tools", [TOOLS, (ODD,), ()], ids=["tools", "odd types", "no tools"])
@pytest.mark.parametrize("query", ["Rain in Oslo for 3 days?", "两\u2028行", "", "9" * 400])
def test_every_baseline_is_read_in_every_format(
    form: str, name: str, tools: tuple[Tool, ...], query: str
) -> None:
    parsed = parse_baseline(name, query, tools, form)
    assert (parsed.verdict == Verdict.MALFORMED) == (name == "malformed")


def test_always_none_never_calls() -> None:
    assert parse_baseline("always_none", "Weather forecast of Oslo?").verdict == Verdict.NO_CALL


def test_always_first_takes_the_first_number_and_the_query() -> None:
    assert called("always_first", "What are 20.5 euros in yen?") == (
        "convert_currency",
        {"amount": 20.5, "to": "What are 20.5 euros in yen?"},
    )


def test_random_is_the_same_for_the_same_task() -> None:
    first, second = (BASELINES["random"](task("Rain?"), offer(TOOLS)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("query", "call"),
    [
        pytest.param(
            "Get the weather forecast of Oslo for 3 days",
            ("getWeather", {"city": "Oslo", "days": 3}),
            id="camel case and a capital",
        ),
        pytest.param(
            'Convert 12 of my money to "Swiss francs"',
            ("convert_currency", {"amount": 12.0, "to": "12"}),
            id="numbers and quotes in order",
        ),
        pytest.param("查一下火车票", ("查火车", {"出发": "查一下火车票"}), id="chinese"),
        pytest.param("Switch the lamp off", ("set_lamp", {"state": "off"}), id="enum in the query"),
        pytest.param("Switch that lamp", ("set_lamp", {"state": "on"}), id="first of the enum"),
    ],
)
def test_the_lexical_matcher_finds_the_tool_by_its_words(
    query: str, call: tuple[str, dict[str, Any]]
) -> None:
    assert called("lexical", query) == call


def test_the_lexical_matcher_refuses_what_shares_no_word() -> None:
    assert parse_baseline("lexical", "Tell me a joke").verdict == Verdict.NO_CALL


def test_echoes_describe_with_the_query_or_with_a_description() -> None:
    by_query, by_description = (
        parse_baseline(f"echo_{what}", "weather?").turn for what in ("query", "description")
    )
    assert by_query is not None
    assert by_description is not None
    assert (by_query.decision, by_query.thought) == ("no_call", "weather?")
    assert (by_description.decision, by_description.thought) == (
        "call",
        "Weather forecast of a city.",
    )


@pytest.mark.parametrize("name", ["getHTTPWeather2", "get_http_weather2", "get HTTP-weather2"])
def test_names_are_taken_apart_however_they_are_spelled(name: str) -> None:
    assert split_words(name) == {"get", "http", "weather2"}


def test_overlap_weighs_rare_words_more_and_stays_from_0_to_1() -> None:
    lexical = WordOverlap(TOOLS)
    weather = TOOLS[1]
    rare, common = (lexical.overlap(query, weather) for query in ("forecast", "a"))
    assert 0 < common < rare < 1
    assert lexical.overlap("get Weather forecast of a city", weather) == pytest.approx(1)
    assert lexical.overlap("joke", weather) == lexical.overlap("", weather) == 0
