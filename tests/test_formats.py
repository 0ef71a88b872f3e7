"""The law of every format: reading gives back what was written."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectory.formats import REPLY_FORMATS, TOOL_FORMATS, Malformed
from trajectory.records import Assistant, Call, Tool

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
TOOL = Tool(
    "book.room",
    "Book a room.",
    {
        "type": "object",
        "properties": {
            "nights": {"type": "integer"},
            "view": {"type": "string", "enum": ["sea", "hill"], "description": "what to see"},
            "guests": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["nights", "view"],
    },
)


@pytest.mark.parametrize("name", REPLY_FORMATS)
@given(turn=TURNS)
def test_reading_inverts_writing(name, turn):
    form = REPLY_FORMATS[name]
    again = form.read(form.write(turn), [TOOL])
    assert again == turn
    assert repr(again) == repr(turn)  # 1, 1.0 and True are equal, but not the same


@pytest.mark.parametrize("name", REPLY_FORMATS)
@given(text=AWKWARD | WORDS | st.text(alphabet='{}[]":,<>/ \nAThought Action Input', max_size=60))
def test_a_text_that_is_no_decision_is_malformed_and_nothing_worse(name, text):
    with contextlib.suppress(Malformed):
        REPLY_FORMATS[name].read(text, [TOOL])


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
    ],
)
def test_malformed_names_the_place(name, text, place):
    with pytest.raises(Malformed, match=place):
        REPLY_FORMATS[name].read(text, [TOOL])


@pytest.mark.parametrize("name", TOOL_FORMATS)
def test_a_menu_names_every_tool_every_parameter_and_every_choice(name):
    text = TOOL_FORMATS[name]([TOOL])
    for word in ("book.room", "Book a room.", "nights", "view", "guests", "sea", "hill"):
        assert word in text


@pytest.mark.parametrize("name", TOOL_FORMATS)
def test_a_menu_tells_optional_from_required(name):
    required = TOOL.parameters | {"required": ["nights", "view", "guests"]}
    assert TOOL_FORMATS[name]([TOOL]) != TOOL_FORMATS[name](
        [Tool(TOOL.name, TOOL.description, required)]
    )
