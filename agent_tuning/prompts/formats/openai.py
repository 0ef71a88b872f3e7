"""OpenAI: the JSON of an assistant message with `tool_calls`, whose arguments are JSON in a string.

`content` says that no tool is needed, `ask` that an argument is missing.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    build_decision,
    expect_end,
    format_json,
    read_json_object,
    skip_blanks,
)
from agent_tuning.prompts.formats.segments import JsonLeaf, ReplyFormat, Segment, json_segments
from agent_tuning.records import Assistant, Call, Record, Tool, ToolResult

VALID_PREFIXES = ("{",)


class Function(Record, frozen=True):
    name: str
    arguments: str


class ToolCall(Record, frozen=True):
    function: Function
    type: Literal["function"] = "function"
    id: str = ""  # a server's own; nothing refers to it here


class Message(Record, frozen=True):
    reasoning: str = ""
    tool_calls: list[ToolCall] | None = None
    content: str | None = None
    ask: str | None = None


def segments(turn: Assistant) -> list[Segment]:
    message: dict[str, object] = {}
    if turn.thought:
        message["reasoning"] = JsonLeaf(turn.thought, "thought")
    if turn.decision == "call":
        message["tool_calls"] = [_build_tool_call(call) for call in turn.calls]
    else:
        message["ask" if turn.decision == "ask" else "content"] = turn.text
    return list(json_segments(message))


def _build_tool_call(call: Call) -> dict[str, object]:
    arguments = format_json(call.arguments)
    function = {"name": JsonLeaf(call.name, "name"), "arguments": arguments}
    return {"type": "function", "function": function}


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = skip_blanks(text, 0)
    value, stop = read_json_object(text, start)
    expect_end(text, stop)
    try:
        message = msgspec.convert(value, Message)
        return build_decision(message.reasoning, _read_calls(message), message.content, message.ask)
    except ValueError as error:
        raise MalformedReply(f"tool_calls, content or ask ({error})", text, start) from error


def _read_calls(message: Message) -> list[Call] | None:
    if message.tool_calls is None:
        return None
    calls = []
    for function in (call.function for call in message.tool_calls):
        arguments, stop = read_json_object(function.arguments, 0)
        expect_end(function.arguments, stop)
        calls.append(Call(function.name, arguments))
    return calls


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        format_json({"role": "tool", "name": result.name, "content": result.content})
        for result in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
