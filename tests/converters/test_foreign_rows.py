"""Rows of others: nothing that means something is lost, and what is not understood is an error."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from agent_tuning.converters import FORMATS, READERS, load, row_fields, rows, save
from agent_tuning.prompts.formats import TOOL_FORMATS
from agent_tuning.records import Assistant, BadInput, Call, Group, ToolResult, User
from agent_tuning.runtime import cli

FERRY = {
    "name": "next_ferry",
    "description": "Next ferry from a quay.",
    "parameters": {
        "type": "object",
        "properties": {"quay": {"type": "string"}},
        "required": ["quay"],
    },
}
FERRIES = [{"type": "function", "function": FERRY}]
ASKED = {"role": "user", "content": "Ferries from North and South?"}


def read(name: str, row: dict[str, Any]) -> Group:
    return FORMATS[name].read(row_fields.convert(row, FORMATS[name].row))


def turns_of(group: Group) -> tuple[Any, ...]:
    return group.trajectories[0].turns


def call(id: str | None, quay: str) -> dict[str, Any]:
    function = {"name": "next_ferry", "arguments": json.dumps({"quay": quay})}
    return {"type": "function", "function": function} | ({"id": id} if id else {})


def result(id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": json.dumps(content)}


def chat(*messages: dict[str, Any], **fields: Any) -> Group:
    return read("openai", {"messages": [ASKED, *messages], "tools": FERRIES, **fields})


BOTH = {"role": "assistant", "tool_calls": [call("n", "North"), call("s", "South")]}
SAID = {"role": "assistant", "content": "At 9 and 10."}


@pytest.mark.parametrize("order", [("n", "s"), ("s", "n")])
def test_results_belong_to_calls_by_id_and_come_back_so(order):
    minutes = {"n": 9, "s": 10}
    group = chat(BOTH, *(result(id, minutes[id]) for id in order), SAID)
    assert turns_of(group)[2:4] == (ToolResult("next_ferry", 9), ToolResult("next_ferry", 10))
    written = FORMATS["openai"].write(group)
    ids = [one.id for one in written.messages[1].tool_calls]
    assert [m.tool_call_id for m in written.messages[2:4]] == ids
    assert [m.content for m in written.messages[2:4]] == ["9", "10"]


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ((BOTH, result("n", 9), SAID), r"messages\.3: no result of next_ferry before it"),
        ((BOTH, result("n", 9), result("n", 9)), r"messages\.3: a second result of next_ferry"),
        ((BOTH, result("x", 9)), r"messages\.2\.tool_call_id: no call 'x' before it"),
        ((BOTH, {"role": "tool", "content": "9"}), r"messages\.2\.tool_call_id: expected the id"),
        (({"role": "assistant", "tool_calls": [call("n", "N"), call("n", "S")]},),
         r"messages\.1\.tool_calls: two calls have the same id"),
    ],
)  # fmt: skip
def test_a_result_without_its_call_is_an_error(messages, problem):
    with pytest.raises(ValueError, match=problem):
        chat(*messages)


@pytest.mark.parametrize("text", ["3.10", "1E5", "0.1000000000000000055", "007", "NaN", "None"])
def test_a_result_that_json_would_write_otherwise_stays_as_it_is(text):
    group = chat({"role": "assistant", "tool_calls": [call("n", "N")]}, {"role": "tool",
                 "tool_call_id": "n", "content": text}, SAID)  # fmt: skip
    assert turns_of(group)[2].content == text
    again = FORMATS["openai"].read(FORMATS["openai"].write(group))
    assert turns_of(again)[2].content == text


def test_an_old_function_call_is_a_call_with_its_result():
    old = {"name": "next_ferry", "arguments": '{"quay": "North"}'}
    messages = [
        ASKED,
        {"role": "assistant", "content": None, "function_call": old},
        {"role": "function", "name": "next_ferry", "content": "9"},
        SAID,
    ]
    group = read("openai", {"messages": messages, "functions": [FERRY]})
    assert turns_of(group)[1:3] == (
        Assistant("call", calls=(Call("next_ferry", {"quay": "North"}),)),
        ToolResult("next_ferry", 9),
    )
    assert [tool.name for tool in group.tools] == ["next_ferry"]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "refusal": "I do not sail there."},
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "I do not sail there."}],
        },
    ],
)
def test_a_refusal_is_what_the_user_reads(message):
    assert turns_of(chat(message))[-1] == Assistant("no_call", text="I do not sail there.")


def test_a_result_may_be_an_object_and_no_other_message():
    told = {"role": "tool", "tool_call_id": "n", "content": {"at": 9, "also": None}}
    group = chat({"role": "assistant", "tool_calls": [call("n", "N")]}, told, SAID)
    assert turns_of(group)[2] == ToolResult("next_ferry", {"at": 9, "also": None})
    with pytest.raises(
        ValueError, match=r"^messages\.1\.content: expected a text, found an object"
    ):
        chat({"role": "assistant", "content": {"at": 9}})


def test_neither_of_two_fields_with_a_text_is_lost():
    said = {
        "content": "No.",
        "refusal": "I do not sail.",
        "reasoning": "b",
        "reasoning_content": "a",
    }
    turn = turns_of(chat({"role": "assistant", **said}))[-1]
    assert (turn.thought, turn.text) == ("a b", "No.\n\nI do not sail.")


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("name", "ada", 0),
        ("tool_calls", [call("n", "N")], 0),
        ("refusal", "No.", 0),
        ("tool_call_id", "n", 0),
        ("name", "captain", 1),
        ("reasoning", "I think.", 2),
    ],
)
def test_a_field_that_its_role_has_no_place_for_is_an_error_or_ignored_by_name(field, value, at):
    calls = {"role": "assistant", "tool_calls": [call("n", "N")]}
    messages = [ASKED, calls, result("n", 9), SAID]
    row = {"messages": messages, "tools": FERRIES}
    expected = turns_of(read("openai", row))
    messages[at] = messages[at] | {field: value}
    with pytest.raises(ValueError, match=rf"^messages\.{at}\.{field}: expected none .*--ignore"):
        read("openai", row)
    if at:
        kept = row_fields.convert(row, FORMATS["openai"].row, [f"messages.{field}"])
        assert turns_of(FORMATS["openai"].read(kept)) == expected


@pytest.mark.parametrize("arguments", [None, "", "null", {}, "{}", "[]"])
def test_no_arguments_are_no_arguments_however_they_are_written(arguments):
    calls = [{"id": "n", "function": {"name": "next_ferry", "arguments": arguments}}]
    assert turns_of(chat({"role": "assistant", "tool_calls": calls}))[-1].calls[0].arguments == {}


IN_TEXT = (
    f"I look. <tool_call>{json.dumps({'name': 'next_ferry'})}</tool_call>",
    '<functioncall> {"name": "next_ferry", "arguments": \'{}\'}',
    "Thought: I look.\nAction: next_ferry\nAction Input: {}",
    '{"name": "next_ferry", "parameters": {"quay": "N"}}',
)


@pytest.mark.parametrize("text", IN_TEXT)
def test_a_call_in_the_text_of_an_answer_is_an_error_where_there_are_tools(text):
    with pytest.raises(ValueError, match=r"^turn 1 of the model: '.*' in its text"):
        chat({"role": "assistant", "content": text})
    general = read("openai", {"messages": [ASKED, {"role": "assistant", "content": text}]})
    assert turns_of(general)[-1].text == text


@pytest.mark.parametrize(
    "text", ["<think>I wonder", "I wonder.</think>At 9.", "So <think>hm</think> at 9."]
)
def test_a_thought_without_both_its_ends_at_the_beginning_is_an_error(text):
    for row in ({"content": text}, {"tool_calls": [call("n", "N")], "content": text}):
        with pytest.raises(ValueError, match=r"^turn 1 of the model: '</?think>' in its text"):
            chat({"role": "assistant", **row})


@pytest.mark.parametrize("arguments", ["0", "false", '""', "[1]"])
def test_arguments_that_are_no_object_are_an_error(arguments):
    calls = [{"id": "n", "function": {"name": "next_ferry", "arguments": arguments}}]
    with pytest.raises(ValueError, match=r"^messages\.1\.tool_calls\.0: Expected `object`"):
        chat({"role": "assistant", "tool_calls": calls})


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_the_thought(field):
    group = chat({"role": "assistant", field: "Both\nquays.", **BOTH})
    assert turns_of(group)[1].thought == "Both quays."


CONVERSED = [{"from": "human", "value": "Ferry?"}]
NORTH = json.dumps({"name": "next_ferry", "arguments": {"quay": "North"}})
SOUTH = json.dumps({"name": "next_ferry", "arguments": {"quay": "South"}})


def factory(*utterances: tuple[str, str]) -> Group:
    conversation = [{"from": speaker, "value": value} for speaker, value in utterances]
    tools = json.dumps([FERRY])
    return read("llama_factory", {"conversations": [*CONVERSED, *conversation], "tools": tools})


def test_calls_that_follow_one_another_are_one_turn_and_keep_their_results():
    group = factory(
        ("function_call", NORTH),
        ("function_call", SOUTH),
        ("observation", "9"),
        ("observation", "10"),
        ("gpt", "At 9 and 10."),
    )
    first, *results = turns_of(group)[1:4]
    assert [one.arguments["quay"] for one in first.calls] == ["North", "South"]
    assert results == [ToolResult("next_ferry", 9), ToolResult("next_ferry", 10)]


def test_words_beside_a_call_between_tags_are_its_thought():
    text = f"<think>North\nfirst.</think>I look.\n<tool_call>\n{NORTH}\n</tool_call>"
    turn = turns_of(factory(("function_call", text)))[1]
    assert (turn.thought, turn.calls[0].arguments) == ("North first. I look.", {"quay": "North"})


def test_an_observation_of_no_call_is_an_error():
    with pytest.raises(ValueError, match=r"conversations\.4: 1 observations for 0 calls"):
        factory(
            ("function_call", NORTH), ("observation", "9"), ("gpt", "At 9."), ("observation", "9")
        )


def swift(*messages: tuple[str, str, bool | None]) -> Group:
    written = [{"role": role, "content": text, "loss": loss} for role, text, loss in messages]
    return read("ms_swift", {"messages": [ASKED, *written], "tools": json.dumps(FERRIES)})


@pytest.mark.parametrize(
    ("thought", "first", "second", "trained"),
    [(None, None, True, True), (False, True, True, False), (None, None, False, False)],
)
def test_a_turn_with_a_part_without_loss_is_not_trained(thought, first, second, trained):
    group = swift(
        ("assistant", "I look.", thought), ("tool_call", NORTH, first), ("tool_call", SOUTH, second)
    )
    assert turns_of(group)[1].trained is trained


def test_ids_of_results_of_calls_without_ids_are_an_error():
    calls = [{"role": "tool_call", "content": text} for text in (NORTH, SOUTH)]
    results = [{"role": "tool_response", "content": "9", "tool_call_id": id} for id in ("s", "n")]
    with pytest.raises(
        ValueError, match=r"^messages\.3\.tool_call_id: the calls before it have no"
    ):
        read("ms_swift", {"messages": [ASKED, *calls, *results, SAID], "tools": FERRIES})


def test_a_list_of_no_calls_is_an_error():
    with pytest.raises(ValueError, match=r"^conversations\.1\.value: expected a call"):
        factory(("function_call", "[]"))


def test_swift_messages_may_hold_calls_as_openai_writes_them():
    messages = [
        ASKED,
        {**BOTH, "content": "", "loss": False},
        result("s", 10),
        {**result("n", 9), "role": "tool_response"},
        SAID,
    ]
    group = read("ms_swift", {"messages": messages, "tools": FERRIES})
    assert turns_of(group)[2:4] == (ToolResult("next_ferry", 9), ToolResult("next_ferry", 10))
    assert [turn.trained for turn in turns_of(group) if isinstance(turn, Assistant)] == [
        False,
        True,
    ]


@pytest.mark.parametrize("name", ["openai", "ms_swift", "llama_factory", "sharegpt"])
def test_a_system_message_stays_where_it_stands(name):
    said = [
        ("system", "You sell tickets."),
        ("user", "A ferry?"),
        ("assistant", "To where?"),
        ("system", "The last ferry left."),
        ("user", "North."),
        ("system", "Be brief."),
        ("assistant", "No."),
        ("system", "Closed."),
    ]
    if name in ("openai", "ms_swift"):
        row = {"messages": [{"role": role, "content": text} for role, text in said]}
    else:
        row = {"conversations": [{"from": role, "value": text} for role, text in said]}
    assert [turn.text for turn in turns_of(read(name, row))] == [
        *("You sell tickets.\n\nA ferry?", "To where?"),
        *("The last ferry left.\n\nNorth.\n\nBe brief.", "No."),
    ]


def test_a_system_message_after_results_is_said_before_the_reply():
    messages = ({"role": "system", "content": "Be brief."}, SAID)
    group = chat({"role": "assistant", "tool_calls": [call("n", "N")]}, result("n", 9), *messages)
    assert turns_of(group)[3:] == (User("Be brief."), Assistant("no_call", text=SAID["content"]))


@pytest.mark.parametrize("name", ["openai", "ms_swift", "llama_factory"])
def test_what_is_said_in_turns_before_a_call_is_its_thought(name):
    if name == "llama_factory":
        group = factory(("gpt", "North."), ("gpt", "I look."), ("function_call", NORTH))
    elif name == "ms_swift":
        said = (("assistant", "North.", None), ("assistant", "I look.", None))
        group = swift(*said, ("tool_call", NORTH, None))
    else:
        texts = ({"role": "assistant", "content": text} for text in ("North.", "I look."))
        group = chat(*texts, {"role": "assistant", "tool_calls": [call("n", "North")]})
    assert turns_of(group)[1:] == (
        Assistant("call", "North. I look.", (Call("next_ferry", {"quay": "North"}),)),
    )


def test_a_thought_that_is_not_trained_leaves_its_call_out():
    said = {"role": "assistant", "content": "I look.", "weight": 0}
    group = chat(said, {"role": "assistant", "tool_calls": [call("n", "North")]})
    assert [turn.trained for turn in turns_of(group)[1:]] == [False]


@pytest.mark.parametrize("flag", [{"loss": False}, {"weight": 0}])
def test_a_reply_without_loss_or_weight_is_context_only(flag):
    reply = {"from": "gpt", "value": "At 9.", **flag}
    assert turns_of(read("sharegpt", {"conversations": [*CONVERSED, reply]}))[1].trained is False


SILENT = {
    "openai": {"messages": [ASKED, {"role": "assistant", "content": " "}, ASKED, SAID]},
    "ms_swift": {"messages": [ASKED, {"role": "assistant", "content": ""}]},
    "sharegpt": {"conversations": [*CONVERSED, {"from": "gpt", "value": "<think>a</think>\n"}]},
    "llama_factory": {"conversations": [*CONVERSED, {"from": "gpt", "value": ""}]},
    "xlam": {"query": "Ferry?", "tools": [FERRY], "answers": []},
    "xlam_unified": {"query": "Ferry?", "tools": [FERRY], "steps": [{"thought": ""}]},
}


@pytest.mark.parametrize("name", SILENT)
def test_a_turn_with_neither_text_nor_call_is_an_error(name):
    with pytest.raises(ValueError, match="turn 1 of the model: neither text nor call"):
        read(name, SILENT[name])


UNKNOWN = [
    ("openai", {"messages": [ASKED, {**SAID, "audio": {"id": "x"}}]}, r"messages\.1: .* `audio`"),
    ("openai", {"messages": [ASKED, {**SAID, "weight": 0.5}]}, r"weight"),
    ("openai", {"messages": [ASKED, SAID], "rejected": "x"}, r"unknown field `rejected`"),
    ("openai", {"messages": [ASKED, {"role": "assistant", "tool_calls": [
        call("n", "N") | {"custom": {"name": "x"}}]}]}, r"messages\.1\.tool_calls\.0: .*`custom`"),
    ("openai", {"messages": [ASKED, {"role": "assistant", "content": [
        {"type": "image_url", "image_url": {"url": "x"}}]}]}, r"`image_url`"),
    ("ms_swift", {"messages": [ASKED, {**SAID, "loss_scale": 2}]}, r"messages\.1: .*`loss_scale`"),
    ("ms_swift", {"messages": [ASKED, SAID], "images": ["a.png"]}, r"unknown field `images`"),
    ("llama_factory", {"conversations": CONVERSED, "chosen": {"value": "x"}}, r"`chosen`"),
    ("sharegpt", {"conversations": [{**CONVERSED[0], "mask": 1}]}, r"conversations\.0: .*`mask`"),
    ("sharegpt", {"conversations": CONVERSED, "tools": [FERRY]}, r"tools: .* llama_factory"),
    ("xlam", {"query": "q", "tools": [FERRY], "answers": [
        {"name": "next_ferry", "argument": {"quay": "N"}}]}, r"answers\.0: .*did you mean `arg"),
    ("xlam", {"query": "q", "tools": [{"name": "a", "paramters": {}, "returns": "x"}],
              "answers": []}, r"tools\.0: unknown field `returns`"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "row", "problem"), UNKNOWN)
def test_a_field_that_means_something_and_is_not_known_is_an_error(name, row, problem):
    with pytest.raises(ValueError, match=problem):
        read(name, row)


def test_a_field_that_says_nothing_or_only_names_the_row_is_no_error():
    row = {"messages": [ASKED, {**SAID, "audio": None, "annotations": []}], "uuid": 7, "images": []}
    assert turns_of(read("openai", row))[-1].text == "At 9 and 10."


def test_the_user_may_ignore_a_field_by_its_name(tmp_path, monkeypatch, capsys):
    source, target = tmp_path / "rows.jsonl", tmp_path / "ours.jsonl"
    row = {"messages": [ASKED, {**SAID, "score": 3}], "quality": "good"}
    source.write_text(json.dumps(row) + "\n")
    arguments = ["load", "openai", str(source), str(target)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match=r"rows\.jsonl:1: .*use --ignore messages\.score"):
        cli.run(load.main)
    assert not list(tmp_path.glob("ours*"))
    monkeypatch.setattr(sys, "argv", [*arguments, "--ignore", "messages.score,quality"])
    cli.run(load.main)
    assert "1 groups" in capsys.readouterr().out


PYTHON = {
    "str": {"type": "string"},
    "List[List[int]]": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    "Dict[str, float]": {"type": "object", "additionalProperties": {"type": "number"}},
    "Optional[bool]": {"type": ["boolean", "null"]},
    "int | None": {"type": ["integer", "null"]},
    "Tuple[int, str]": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
    },
    "Literal['n', 's']": {"enum": ["n", "s"]},
    "set": {"type": "array"},
    "Any": {},
    "float, default 2.5": {"type": "number", "default": 2.5},
    "Callable[[int], int]": {"description": "(Callable[[int], int])"},
    "no type at all": {"description": "(no type at all)"},
}


@pytest.mark.parametrize("python", PYTHON)
def test_a_python_type_is_a_schema_or_stays_readable(python):
    tool = {"name": "t", "parameters": {"a": {"type": python}}}
    (read_tool,) = read("xlam", {"query": "q", "tools": [tool], "answers": [{"name": "t"}]}).tools
    assert read_tool.parameters["properties"] == {"a": PYTHON[python]}
    optional = "Optional" in python or "default" in python
    assert read_tool.parameters["required"] == ([] if optional else ["a"])


def test_types_and_flags_inside_a_named_type_are_read():
    size = {"type": "dict", "properties": {"beam": {"type": "float"}}, "required": False}
    listed = {"type": "list", "items": {"type": "dict"}, "optional": True}
    tool = {"name": "t", "parameters": {"size": size, "all": listed, "at": {"required": True}}}
    (tool,) = read("xlam", {"query": "q", "tools": [tool], "answers": [{"name": "t"}]}).tools
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "size": {"type": "object", "properties": {"beam": {"type": "number"}}},
            "all": {"type": "array", "items": {"type": "object"}},
            "at": {},
        },
        "required": ["at"],
    }


def test_an_observation_of_a_step_without_calls_is_an_error():
    row = {"query": "q", "tools": [FERRY], "steps": [{"thought": "At 9.", "next_observation": "9"}]}
    with pytest.raises(ValueError, match=r"^steps\.0\.next_observation: expected none"):
        read("xlam_unified", row)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"properties": {"quay": {"type": "string"}}}, {"quay"}),
        ({"type": "dict", "properties": {"quay": {"type": "float"}}}, {"quay"}),
        ({"properties": {"type": "str", "description": "Which."}}, {"properties"}),
        ({"type": {"type": "str"}, "properties": {"type": "list"}}, {"type", "properties"}),
    ],
)
def test_a_parameter_named_like_a_keyword_is_told_from_a_schema(parameters, names):
    row = {"query": "q", "tools": [{"name": "t", "parameters": parameters}]}
    (tool,) = read("xlam", row | {"answers": [{"name": "t"}]}).tools
    assert tool.parameters["properties"].keys() == names
    assert "dict" not in str(tool.parameters)


@pytest.mark.parametrize("tool_format", TOOL_FORMATS)
def test_every_tool_list_shows_what_an_optional_parameter_of_a_row_is(tool_format):
    parameters = {
        "type": "object",
        "properties": {"seats": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}},
        "$defs": {"N": {"type": "integer"}},
    }
    group = chat(SAID, tools=[FERRY | {"parameters": parameters}])
    shown = TOOL_FORMATS[tool_format](group.tools)
    assert "integer" in shown or "number" in shown or "int" in shown
    assert "$ref" not in shown


@pytest.mark.parametrize("tools", [None, "", " ", "[]", []])
def test_no_tools_are_no_tools_however_they_are_written(tools):
    row = {"conversations": [*CONVERSED, {"from": "gpt", "value": "No."}], "tools": tools}
    assert read("llama_factory", row).tools == ()


def test_a_tool_with_an_empty_schema_has_no_arguments():
    (tool,) = chat(SAID, tools=[{"name": "ping", "parameters": {}}]).tools
    assert tool.parameters == {"type": "object", "properties": {}, "required": []}


BEAM = {"type": "object", "properties": {"beam": {"type": "number"}}, "required": ["beam"]}


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "dict", "properties": {"beam": {"type": "float"}}, "required": ["beam"]},
        {"beam": {"type": "float"}},
        {"properties": {"beam": {"type": "number"}}, "required": ["beam"]},
        {"allOf": [{"$ref": "#/$defs/B"}], "$defs": {"B": BEAM}},
    ],
)
@pytest.mark.parametrize("name", ["openai", "ms_swift", "llama_factory"])
def test_python_types_are_read_in_every_format_and_a_tool_may_be_a_text(name, parameters):
    tool = {"name": "next_ferry", "parameters": parameters}
    field = "conversations" if name == "llama_factory" else "messages"
    turns = (
        [*CONVERSED, {"from": "gpt", "value": "No."}] if name == "llama_factory" else [ASKED, SAID]
    )
    for tools in ([tool], [json.dumps(tool)], json.dumps([tool]), json.dumps([json.dumps(tool)])):
        (read_tool,) = read(name, {field: turns, "tools": tools}).tools
        assert read_tool.parameters == BEAM


BAD_LINES = {
    "nan": (b'{"messages": [{"role": "user", "content": NaN}]}', r":2: messages\.0\.content: nan"),
    "twice": (b'{"messages": [], "messages": []}', r":2: messages: this key appears twice"),
    "half": (b'{"messages": [{"role": "\\udc00"}]}', r":2: messages\.0\.role: half a surrogate"),
    "latin": (b'{"messages": [{"role": "\xe9"}]}', r":2: expected UTF-8"),
    "deep": (b"[" * 400 + b"]" * 400, r":2: 0\.0\.0: lists and objects are more than 200 deep"),
    "huge": (b'{"messages": ' + b"9" * 30 + b"}", r":2: messages: a number of more than 64 bits"),
    "open": (b'{"messages": [', r":2: expected JSON: .* at character 15"),
    "remote": (
        json.dumps(
            {
                "messages": [ASKED, SAID],
                "tools": [{"name": "a", "parameters": {"$ref": "http://x.org/a"}}],
            }
        ).encode(),
        r":2: tools\.0\.parameters: \$ref 'http://x\.org/a' is remote",
    ),
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_line_that_no_record_could_hold_is_named_with_its_field(what, tmp_path):
    line, problem = BAD_LINES[what]
    path = tmp_path / "rows.jsonl"
    good = json.dumps({"messages": [ASKED, SAID]}).encode()
    path.write_bytes(b"\n".join([good, line]))
    with pytest.raises(BadInput, match=problem) as error:
        list(load.read_groups("openai", str(path)))
    assert "\n" not in str(error.value)


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = json.dumps({"messages": [ASKED, SAID]}).encode()
    path.write_bytes(b"\xef\xbb\xbf" + row + b"\r\n\r\n" + row + b"\n \n\n")
    assert len([*load.read_rows("openai", str(path))]) == 2


def run(main: Any, *arguments: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["x", *map(str, arguments)])
        cli.run(main)


@pytest.mark.parametrize("command", ["load", "save"])
def test_a_target_that_is_there_or_cannot_be_written_is_one_line(command, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text(json.dumps({"messages": [ASKED, SAID]}))
    ours = tmp_path / "ours.jsonl"
    run(load.main, "openai", source, ours)
    main, given = (load.main, source) if command == "load" else (save.main, ours)
    before = ours.read_bytes()
    for target, problem in (
        (ours, "already exists"),
        (tmp_path, "already exists"),
        (source / "new.jsonl", "File exists"),
    ):
        with pytest.raises(SystemExit, match=f"error: .*{problem}"):
            run(main, "openai", given, target)
    assert ours.read_bytes() == before


def test_words_beside_calls_of_a_chat_are_their_thought():
    group = chat({"role": "assistant", "content": "I look.", **BOTH})
    assert turns_of(group)[1].thought == "I look."
    assert rows.only_trajectory(group).kind == "multi"


PAGE = Path("docs/own-tools.md").read_text()
# Fields of our own column, and those of a call, which every format has alike.
EVERYWHERE = {"facets", "id", "type", "text", "function", "arguments", "step_id", "name"}


def list_fields(info: inspect.Type) -> Iterator[str]:
    """The names of all fields of a row."""
    match info:
        case inspect.StructType():
            for field in info.fields:
                yield field.encode_name
                yield from list_fields(field.type)
        case inspect.ListType():
            yield from list_fields(info.item_type)
        case inspect.UnionType():
            for one in info.types:
                yield from list_fields(one)


@pytest.mark.parametrize("name", READERS)
def test_the_page_says_once_which_fields_a_format_reads_and_ignores(name):
    table = PAGE.partition("<!-- converters -->")[2].partition("<!-- /converters -->")[0]
    (line,) = (line for line in table.splitlines() if line.startswith(f"| `{name}`"))
    said = set(re.findall(r"`(\w+)`", line)) - {name}
    row = READERS[name].row
    ignored = set(row.IGNORED) - row_fields.ABOUT_A_ROW - {"file", "sample_id", "api_id"}
    read_fields = set(list_fields(inspect.type_info(row))) - EVERYWHERE
    # xLAM's own id is a fact about the row.
    about = row_fields.ABOUT_A_ROW | {"unique_trajectory_id"}
    assert said - EVERYWHERE == (read_fields | ignored) - about
