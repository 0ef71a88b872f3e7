"""Every text that a model may write gets exactly one outcome."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Assistant, Call, PromptSpec, Tool
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import Verdict, parse_answer

TOOLS = (Tool("get_weather", "Weather.", {"type": "object", "properties": {}}),)


def prompt(reply_format: str = "react") -> PromptSpec:
    return PromptSpec("g", "en", TOOLS, reply_format=reply_format)


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
@pytest.mark.parametrize(
    ("turn", "verdict"),
    [
        pytest.param(Assistant("call", "", (Call("get_weather"),)), Verdict.CALL, id="call"),
        pytest.param(Assistant("call", "", (Call("fly"),)), Verdict.CALL, id="unknown tool"),
        pytest.param(Assistant("no_call", text="No."), Verdict.NO_CALL, id="no call"),
        pytest.param(Assistant("ask", text="Where?"), Verdict.ASK, id="ask"),
    ],
)
def test_a_decision_is_read_back_in_every_format(
    reply_format: str, turn: Assistant, verdict: Verdict
) -> None:
    answer = Answer("t", REPLY_FORMATS[reply_format].write(turn))
    parsed = parse_answer(prompt(reply_format), answer)
    assert (parsed.verdict, parsed.turn) == (verdict, turn)


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_a_call_cut_short_is_malformed_and_says_why(reply_format: str) -> None:
    whole = REPLY_FORMATS[reply_format].write(Assistant("call", "", (Call("get_weather"),)))
    parsed = parse_answer(prompt(reply_format), Answer("t", whole[:-3]))
    assert parsed.verdict == Verdict.MALFORMED
    assert parsed.turn is None
    assert parsed.reason


@pytest.mark.parametrize("text", ["It is", '<tool_call>\n{"name": "f"}\n</tool_call>'])
def test_a_cut_answer_to_a_native_prompt_is_malformed_whatever_it_says(text: str) -> None:
    native = PromptSpec("g", "en", TOOLS, "native", "native", "native")
    parsed = parse_answer(native, Answer("t", text, cut=True))
    assert parsed.verdict == Verdict.MALFORMED
    assert parsed.reason == "cut at the limit of tokens"
    assert parse_answer(native, Answer("t", text)).verdict != Verdict.MALFORMED


def test_a_cut_answer_to_any_other_prompt_is_read_as_it_is() -> None:
    answer = Answer("t", "Final Answer: No", cut=True)
    assert parse_answer(prompt(), answer).verdict == Verdict.NO_CALL


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(None, "no answer", id="missing"),
        pytest.param(Answer("t", "", "timeout"), "timeout", id="infrastructure"),
        pytest.param(Answer("t", "Final Answer: No.", "cut off"), "cut off", id="error with text"),
    ],
)
def test_a_model_that_was_not_heard_is_an_error_and_no_refusal(
    answer: Answer | None, reason: str
) -> None:
    parsed = parse_answer(prompt(), answer)
    assert (parsed.verdict, parsed.reason) == (Verdict.ERROR, reason)


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
@example(text="Thought: one\u2028two\nFinal Answer: no")
@example(text="<think>one\x85two</think>\n<answer>no</answer>")
@example(text='{"thoughts": "one\\u2028two", "answer": "no"}')
@example(text="Action: get_weather\nAction Input: " + '{"a":' * 5000)
@given(text=st.text() | st.from_regex(r"(Thought: .*\n)?(Action: .*\nAction Input: )?\{.*\}"))
def test_whatever_a_model_says_has_an_outcome(reply_format: str, text: str) -> None:
    assert parse_answer(prompt(reply_format), Answer("t", text)).verdict in Verdict
