"""Ids and loss mask: the model is trained on what it has to emit, and on nothing else.

The golden files under tests/golden show every token of a conversation: `T` trained, `N` trained
and part of a tool's name, `.` neither. `REGENERATE=1 pytest THIS_FILE` writes them anew.
"""

import os
from pathlib import Path

import msgspec
import pytest

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Assistant, Call, ToolResult, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from tests.conftest import prompt_in

GOLDEN = Path(__file__).parents[1] / "golden"
PARALLEL = (Call("get_weather", {"city": "上海"}), Call("get_time", {"city": "Rome"}))
CONVERSATION = (
    User("Weather in 上海, time in Rome? <|im_end|> stays text."),
    Assistant("call", "Look up both.", PARALLEL),
    ToolResult("get_weather", {"sky": "clear"}),
    ToolResult("get_time", {"time": "12:00"}),
    Assistant("ask", "Ask for the day.", text="Which day?"),
    User("Tomorrow."),
    Assistant("call", "Look up get_weather again.", (Call("get_weather", {"city": "上海"}),)),
    ToolResult("get_weather", {"sky": "fog"}),
    Assistant("no_call", "Tell the user.", text="Fog."),
)


@pytest.fixture(scope="module")
def chat(base) -> ChatTokenizer:
    return ChatTokenizer(base / "tokenizer.json")


def readable(chat: ChatTokenizer, reply_format: str) -> str:
    """Runs of tokens with one flag, a line each."""
    encoded = chat.branch(CONVERSATION, prompt_in(reply_format))
    lines: list[tuple[str, list[int]]] = []
    for token, trained, part in zip(*encoded, strict=True):
        flag = "N" if part == "name" else "T" if trained else "."
        if token in (chat.start, chat.end):
            lines.append((flag, [token]))
        elif lines and lines[-1][0] == flag and lines[-1][1][-1] not in (chat.start, chat.end):
            lines[-1][1].append(token)
        else:
            lines.append((flag, [token]))
    special = {chat.start: "START", chat.end: "END"}
    shown = ((flag, special.get(ids[0]) or repr(chat.text(ids))) for flag, ids in lines)
    return "".join(f"{flag} {text}\n" for flag, text in shown)


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_the_mask_is_the_golden_one(chat, reply_format):
    path = GOLDEN / f"{reply_format}.txt"
    text = readable(chat, reply_format)
    if os.environ.get("REGENERATE"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_exactly_what_the_model_has_to_write_is_trained(chat, reply_format):
    ids, trained, _ = chat.branch(CONVERSATION, prompt_in(reply_format))
    emitted = [token for token, train in zip(ids, trained, strict=True) if train]
    write = REPLY_FORMATS[reply_format].write
    decisions = [turn for turn in CONVERSATION if isinstance(turn, Assistant)]
    expected = []
    for turn in decisions:
        expected += [*chat.tokenizer.encode(write(turn), add_special_tokens=False).ids, chat.end]
    assert emitted == expected


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_a_question_is_the_beginning_of_the_trained_conversation(chat, reply_format):
    ids, trained, _ = chat.branch(CONVERSATION, prompt_in(reply_format))
    for number, turn in enumerate(CONVERSATION):
        if isinstance(turn, Assistant):
            question = chat.question(CONVERSATION[:number], prompt_in(reply_format))
            assert ids[: len(question)] == question
            assert trained[len(question)]
            assert not trained[len(question) - 1]


def test_no_observation_and_no_newline_after_an_end_is_trained(chat):
    ids, trained, _ = chat.branch(CONVERSATION, prompt_in("react"))
    text = "".join(chat.text([t]) for t, train in zip(ids, trained, strict=True) if train)
    assert "Observation" not in text
    after = [trained[i + 1] for i, token in enumerate(ids[:-1]) if token == chat.end]
    assert not any(after)


def test_special_tokens_in_a_text_stay_text(chat):
    ids, _, _ = chat.branch([User("a <|im_end|> b <|im_start|>")], prompt_in("react"))
    assert ids.count(chat.end) == ids.count(chat.start) == 1


def part_text(chat: ChatTokenizer, turns, reply_format: str, part: str) -> str:
    """The text of all tokens of a part."""
    ids, _, parts = chat.branch(turns, prompt_in(reply_format))
    return chat.text([token for token, own in zip(ids, parts, strict=True) if own == part])


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_the_parts_of_a_decision_are_its_thought_its_tools_and_their_arguments(chat, reply_format):
    decisions = [turn for turn in CONVERSATION if isinstance(turn, Assistant)]
    thoughts = [turn.thought for turn in decisions if turn.calls or reply_format != NATIVE]
    assert part_text(chat, CONVERSATION, reply_format, "name") == "get_weatherget_timeget_weather"
    assert part_text(chat, CONVERSATION, reply_format, "thought") == "".join(thoughts)
    arguments = part_text(chat, CONVERSATION, reply_format, "arguments")
    assert [arguments.count(word) for word in ("上海", "Rome", "get_time", "Look")] == [2, 1, 0, 0]


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_a_name_within_an_argument_is_not_taken_for_the_call(chat, reply_format):
    turn = Assistant("call", "", (Call("get_time", {"note": "get_time", "get_time": "qz"}),))
    ids, _, parts = chat.branch([turn], prompt_in(reply_format))
    assert part_text(chat, [turn], reply_format, "name") == "get_time"
    assert "get_time" not in chat.text(ids[: parts.index("name")])
    assert part_text(chat, [turn], reply_format, "arguments").count("get_time") == 2


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_a_thought_that_a_format_has_to_escape_is_labelled_completely(chat, reply_format):
    turn = Assistant("call", 'Say "hm" to qz.', (Call("say", {"text": 'Say "hm" to qz.'}),))
    text = part_text(chat, [turn], reply_format, "thought")
    assert text.replace("\\", "").replace("&quot;", '"') == turn.thought


def test_a_name_that_a_format_has_to_quote_is_trained_like_any_word(chat):
    encoded = chat.branch([Assistant("call", "", (Call("import"),))], prompt_in("pythonic"))
    assert not any(encoded.parts)
    assert 'tools["import"]()' in chat.text(encoded.ids)


@pytest.mark.parametrize("reply_format", REPLY_FORMATS)
def test_a_turn_that_is_context_only_is_there_and_not_trained(chat, reply_format):
    turns = [turn for turn in CONVERSATION if isinstance(turn, Assistant)]
    context = [msgspec.structs.replace(turn, trained=False) for turn in turns]
    ids, trained, parts = chat.branch(context, prompt_in(reply_format))
    assert ids == chat.branch(turns, prompt_in(reply_format)).ids
    assert not any(trained)
    assert not any(parts)
