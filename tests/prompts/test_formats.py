"""The laws of every reply format: reading gives back what was written, and fails one way only."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.formats import REPLY_FORMATS, MalformedReply
from agent_tuning.prompts.formats.native import MARKUP, is_question
from agent_tuning.records import NATIVE, Assistant, Call, Tool

WORDS = st.text(max_size=30)
AWKWARD = st.sampled_from(
    [
        *("12", "true", "null", '"quoted"', "two\nlines", "上海", "</tool_call>", "</answer>"),
        *("Action: x", "Final Answer: ", '{"a": 1}', "\\", " outer ", "é", "👍", "</think>"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | AWKWARD
    | WORDS
    # No exponent is written another way than it is read.
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["ping", "weather.get", "get-time", "getUserInfo", "tool_3"])
CALLS = st.builds(Call, NAMES, st.dictionaries(AWKWARD | WORDS, VALUES, max_size=3))
THOUGHTS = (AWKWARD | WORDS).map(lambda text: text.replace("\n", " ").strip())
TURNS = st.one_of(
    st.builds(
        lambda thought, calls: Assistant("call", thought, tuple(calls)),
        THOUGHTS,
        st.lists(CALLS, min_size=1, max_size=3),
    ),
    st.builds(
        lambda decision, thought, text: Assistant(decision, thought, text=text),
        st.sampled_from(["no_call", "ask"]),
        THOUGHTS,
        AWKWARD | WORDS,
    ),
)
TOOL = Tool("book.room", "Book a room.", {"type": "object", "properties": {}})
SNIPPETS = st.sampled_from(
    [
        *('"', "{", "}", "[", "]", ":", ",", "\n", " ", "\\", "'", "(", ")", "#", "- ", "```", "`"),
        *(
            "<",
            "</",
            ">",
            "&",
            "*a",
            "&a ",
            "!!x ",
            "%",
            "\\ud800",
            "\\UFFFFFFFF",
            "\x00",
            "1e999",
            "NaN",
        ),
        *("Thought:", "Action:", "<call", "</arg>", "[ASK]", "**Ask**", "f(", "**{1: 2}", "null"),
        *("-True", "1j", "b''", "f'{x}'", "...", "{*a}", "lambda: 0", "9" * 5000, "\ufeff", "---"),
    ]
)


def adapt(name: str, turn: Assistant) -> Assistant:
    """The turn, or one near it that the format can write and reads back whole.

    Only `native` needs it: a text alone says what was decided, and no thought stands beside it.
    """
    if name != NATIVE:
        return turn
    if turn.calls:
        return msgspec.structs.replace(turn, thought=MARKUP.sub("", turn.thought).strip())
    text = MARKUP.sub("", turn.text).strip()
    if not text or is_question(text) != (turn.decision == "ask"):
        text += "?" if turn.decision == "ask" else "."
    return Assistant(turn.decision, text=text)


def write(name: str, turn: Assistant) -> str:
    return REPLY_FORMATS[name].write(adapt(name, turn))


@st.composite
def mutated(draw, turns):
    """What a format wrote of a turn, with pieces cut out, doubled or put in."""

    def change(text: str) -> str:
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(text)))
            stop = draw(st.integers(start, min(len(text), start + 8)))
            text = text[:start] + draw(SNIPPETS | st.just(text[start:stop] * 2)) + text[stop:]
        return text

    turn = draw(turns)
    return {name: change(write(name, turn)) for name in REPLY_FORMATS}


@pytest.mark.parametrize("name", REPLY_FORMATS)
@given(turn=TURNS)
def test_reading_inverts_writing(name, turn):
    form, turn = REPLY_FORMATS[name], adapt(name, turn)
    assert form.find_problem(turn) is None
    again = form.read(form.write(turn), [TOOL])
    assert again == turn
    assert repr(again) == repr(turn)  # 1, 1.0 and True are equal, but not the same


@pytest.mark.parametrize("name", REPLY_FORMATS)
@given(text=AWKWARD | WORDS | st.text(alphabet='{}[]":,<>/ \nAThought Action Input', max_size=60))
def test_a_text_that_is_no_decision_is_malformed_and_nothing_worse(name, text):
    with contextlib.suppress(MalformedReply):
        REPLY_FORMATS[name].read(text, [TOOL])


@given(texts=mutated(TURNS))
def test_a_damaged_decision_is_malformed_or_another_and_nothing_worse(texts):
    for name, text in texts.items():
        with contextlib.suppress(MalformedReply):
            turn = REPLY_FORMATS[name].read(text, [TOOL])
            assert REPLY_FORMATS[name].read(REPLY_FORMATS[name].write(turn), [TOOL]) == turn


@pytest.mark.parametrize("name", REPLY_FORMATS)
@pytest.mark.parametrize("depth", [100, 400, 1000, 5000, 50_000])
def test_values_nested_too_deep_are_malformed_and_nothing_worse(name, depth):
    written = REPLY_FORMATS[name].write(Assistant("call", "", (Call("f", {"a": 12345}),)))
    deep = written.replace("12345", "[" * depth + "]" * depth)
    with contextlib.suppress(MalformedReply):
        REPLY_FORMATS[name].read(deep, [TOOL])


@pytest.mark.parametrize("name", REPLY_FORMATS)
@given(turn=TURNS, blanks=st.text(" \n\t", max_size=2), length=st.integers(0, 40))
def test_nothing_that_is_written_is_ever_hopeless(name, turn, blanks, length):
    form = REPLY_FORMATS[name]
    group = QuestionGroup("g", form.VALID_PREFIXES, (1,), {"q": (2,)})
    assert not group.can_never_parse(blanks + write(name, turn)[:length])


@pytest.mark.parametrize("name", REPLY_FORMATS)
@given(start=SNIPPETS | AWKWARD | WORDS, turn=TURNS)
def test_what_is_hopeless_is_malformed_whatever_follows(name, start, turn):
    form = REPLY_FORMATS[name]
    if QuestionGroup("g", form.VALID_PREFIXES, (1,), {"q": (2,)}).can_never_parse(start):
        with pytest.raises(MalformedReply):
            form.read(start + write(name, turn), [TOOL])


@pytest.mark.parametrize("name", REPLY_FORMATS)
@pytest.mark.parametrize("decision", ["no_call", "ask"])
def test_not_calling_takes_no_more_words_than_calling(name, decision):
    call = write(name, Assistant("call", "Look.", (Call("get_time", {}),)))
    assert len(write(name, Assistant(decision, "Look.", text=""))) <= len(call)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("react", "", "character 0"),
        ("react", "I will look it up.", "character 0"),
        ("react", "Thought: a\nAction: f", "character 11"),
        ("react", "Action: f\nAction Input: {1}", "character 25"),
        ("react", "Action: f\nAction Input: {} and more", "character 26"),
        ("react", "Action: f\nAction Input: [1]", "character 24"),
        ("autogpt", "{", "character 1"),
        ("autogpt", '{"thoughts": "a"}', "character 0"),
        ("autogpt", '{"answer": "a", "ask": "b"}', "character 0"),
        ("autogpt", '{"answer": NaN}', "character 0"),
        ("autogpt", '{"command": {"nam": "f"}}', "character 0"),
        ("autogpt", '{"answer": "a"} b', "character 15"),
        ("hermes", "Sunny.", "character 0"),
        ("hermes", "<answer>Sunny.", "character 0"),
        ("hermes", '<tool_call>\n{"name": "f"}', "character 25"),
        ("hermes", "<tool_call>\n{}\n</tool_call>", "character 12"),
        ("openai", '{"role": "user"}', "character 0"),
        ("openai", '{"tool_calls": []}', "character 0"),
        ("openai", ' {"content": "a", "ask": "b"}', "character 1"),
        ("openai", '{"content": "a"} b', "character 16"),
        ("pythonic", "It is sunny.", "character 0"),
        ("pythonic", "# 上海\n[f(a=1), g(2)]", "character 14"),
        ("pythonic", '[f(a="上海", b=c)]', "character 13"),
        ("pythonic", "[f(a=1,\n   b={1: 2})]", "character 14"),
        ("pythonic", "[f(a=1", "character 2"),
        ("pythonic", "[]", "character 0"),
        ("pythonic", "answer(x)", "character 0"),
        ("pythonic", "[f(a=1e999)]", "character 0"),
        ("llama", "Sunny.", "character 0"),
        ("llama", '{"answer": "a"}\n{"parameters": {}}', "character 16"),
        ("llama", '{"answer": "a"} {"ask": "b"}', "character 0"),
        ("llama", '{"name": "f", "parameters": {}}\n{"thought": "late"}', "character 32"),
        ("mistral", "Sunny.", "character 0"),
        ("mistral", "[TOOL_CALLS] {}", "character 13"),
        ("mistral", "[TOOL_CALLS] []", "character 13"),
        ("mistral", '[TOOL_CALLS] [{"name": "f"}] and', "character 28"),
        ("xml", "<answer>Sunny.", "character 0"),
        ("xml", '<call name="f"><arg name="a">1</arg>', "character 36"),
        ("xml", '<call name="f"><arg name="a">Rome</arg></call>', "character 29"),
        ("xml", '<call name="f"><arg name="a">1 2</arg></call>', "character 29"),
        ("yaml", "Sunny.", "character 0"),
        ("yaml", "calls: [", "character 8"),
        ("yaml", "answer: *a", "character 10"),
        ("yaml", "calls:\n- name: f\n  arguments:\n    [a]: 1", "character 34"),
        ("yaml", 'answer: "\\ud800"', "character 0"),
        ("markdown", "Sunny.", "character 0"),
        ("markdown", "**Call** `f`\n```json\n{}", "character 23"),
        ("native", " \n", "character 0"),
        ("native", 'Look.\n<tool_call>\n{"name": "f"}', "character 31"),
        ("native", "<tool_call>\n{}\n</tool_call>", "character 12"),
        ("native", '<tool_call>\n{"name": "f"}\n</tool_call> and', "character 38"),
        ("native", "Done.</tool_call>", "character 5"),
        ("native", "Rain.\n<tool_response>\n{}\n</tool_response>", "character 6"),
        ("native", '</tool_response>\n<tool_call>\n{"name": "f"}\n</tool_call>', "character 0"),
    ],
)
def test_malformed_names_the_place(name, text, place):
    with pytest.raises(MalformedReply, match=f"{place},"):
        REPLY_FORMATS[name].read(text, [TOOL])


@pytest.mark.parametrize(
    ("name", "text", "arguments"),
    [
        ("pythonic", "[f(a='x', b=[-1, None])]", {"a": "x", "b": [-1, None]}),
        (
            "yaml",
            "calls: [{name: f, arguments: {a: no, b: 2026-11-25}}]",
            {"a": "no", "b": "2026-11-25"},
        ),
        (
            "yaml",
            "calls:\n- name: f\n  arguments: {a: 007, b: ~, c: 1e3}",
            {"a": "007", "b": None, "c": 1e3},
        ),
        ("xml", '<call name="f"><arg name="a"> 1 </arg></call>', {"a": 1}),
        ("markdown", '**Call** `f` ```json {"a": 1} ```', {"a": 1}),
        (
            "openai",
            '{"content": null, "tool_calls": [{"id": "c1", "function": {"name": "f", '
            '"arguments": "{\\"a\\": 1}"}}]}',
            {"a": 1},
        ),
    ],
    ids=[
        "single quotes",
        "no Norway problem",
        "YAML's other numbers",
        "blanks",
        "one line",
        "a server's own",
    ],
)
def test_what_models_write_otherwise_is_read_too(name, text, arguments):
    assert REPLY_FORMATS[name].read(text, [TOOL]) == Assistant("call", "", (Call("f", arguments),))


@pytest.mark.parametrize("name", ["__import__('os').system('true')", "[].__class__()", "open('x')"])
def test_python_is_never_run(name):
    with pytest.raises(MalformedReply):
        REPLY_FORMATS["pythonic"].read(f"[f(a={name})]", [TOOL])


@pytest.mark.parametrize("name", ["import", "get-import", "tool 7", "3d", "查天气", "tools"])
def test_a_name_that_is_none_in_python_is_quoted(name):
    turn = Assistant("call", "", (Call(name, {"from": 1, "城市": 2, "to": 3}),))
    assert REPLY_FORMATS["pythonic"].read(REPLY_FORMATS["pythonic"].write(turn), []) == turn


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("Which city?", "ask"),
        ("哪个城市？", "ask"),
        ("Say which:\n- Oslo?\n- Rome?", "ask"),
        ("Which one? 🙂", "ask"),
        ("Which one? 👍🏽", "ask"),
        ('Did you mean "Oslo?"', "ask"),
        ("（哪一天？）", "ask"),
        ("**Which day?** ", "ask"),
        ("Which day? Tell me.", "no_call"),
        ("Oslo.", "no_call"),
        ("Really?!", "no_call"),
        ("🙂", "no_call"),
    ],
)
def test_a_native_text_is_an_ask_if_its_last_sentence_is_a_question(text, decision):
    assert REPLY_FORMATS[NATIVE].read(text, [TOOL]) == Assistant(decision, text=text.strip())


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        (Assistant("ask", text="Tell me the day."), "ask does not end with a question"),
        (Assistant("no_call", text="Why not?"), "no_call ends with a question"),
        (Assistant("no_call", text=""), "empty"),
        (Assistant("no_call", text=" Fog."), "begins or ends with a blank"),
        (Assistant("no_call", text="Use <tool_call>."), "the text has the markup <tool_call>"),
        (
            Assistant("call", "An </tool_response>", (Call("f"),)),
            "the thought has the markup </tool_response>",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_turn_that_plain_text_cannot_say_is_not_written(turn, problem):
    assert problem in (REPLY_FORMATS[NATIVE].find_problem(turn) or "")
    with pytest.raises(ValueError, match=f"native: .*{problem}"):
        REPLY_FORMATS[NATIVE].write(turn)


def test_only_native_refuses_a_turn_and_writes_no_thought_beside_a_text():
    turn = Assistant("no_call", "Reply.", text="Why not?")
    refusing = [name for name, form in REPLY_FORMATS.items() if form.find_problem(turn)]
    assert refusing == [NATIVE]
    said = Assistant("no_call", "Reply.", text="Because.")
    silent = [name for name, form in REPLY_FORMATS.items() if "Reply." not in form.write(said)]
    assert silent == [NATIVE]


def test_a_thought_of_several_lines_is_read_as_one():
    text = 'First the rain.\nThen the sun.\n<tool_call>\n{"name": "f"}\n</tool_call>\n'
    turn = REPLY_FORMATS[NATIVE].read(text, [TOOL])
    assert turn == Assistant("call", "First the rain. Then the sun.", (Call("f"),))
