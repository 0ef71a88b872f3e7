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
from agent_tuning.records import Assistant, Call, Json, Record, Tool, ToolResult

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


def write(turn: Assistant) -> str:
    message: dict[str, Json] = {"reasoning": turn.thought} if turn.thought else {}
    if turn.decision == "call":
        message["tool_calls"] = [_written(call) for call in turn.calls]
    else:
        message["ask" if turn.decision == "ask" else "content"] = turn.text
    return format_json(message)


def _written(call: Call) -> Json:
    arguments = format_json(call.arguments)
    return {"type": "function", "function": {"name": call.name, "arguments": arguments}}


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = skip_blanks(text, 0)
    value, stop = read_json_object(text, start)
    expect_end(text, stop)
    try:
        message = msgspec.convert(value, Message)
        return build_decision(message.reasoning, _calls(message), message.content, message.ask)
    except ValueError as error:
        raise MalformedReply(f"tool_calls, content or ask ({error})", text, start) from error


def _calls(message: Message) -> list[Call] | None:
    if message.tool_calls is None:
        return None
    calls = []
    for said in (call.function for call in message.tool_calls):
        arguments, stop = read_json_object(said.arguments, 0)
        expect_end(said.arguments, stop)
        calls.append(Call(said.name, arguments))
    return calls


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        format_json({"role": "tool", "name": result.name, "content": result.content})
        for result in results
    )
