"""Llama: a line of JSON for the thought, then one for each call, or for an answer or a question."""

from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    build_decision,
    format_json,
    read_json_object,
    skip_blanks,
)
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult

VALID_PREFIXES = ("{",)


def write(turn: Assistant) -> str:
    lines: list[Json] = [{"thought": turn.thought}] if turn.thought else []
    lines += [{"name": call.name, "parameters": call.arguments} for call in turn.calls]
    if turn.decision != "call":
        lines.append({"ask" if turn.decision == "ask" else "answer": turn.text})
    return "\n".join(map(format_json, lines))


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    said: dict[str, str] = {}
    calls: list[Call] = []
    position = skip_blanks(text, 0)
    while position < len(text):
        value, stop = read_json_object(text, position)
        match value:
            case {"name": str(name), "parameters": dict(arguments)} if len(value) == 2:
                calls.append(Call(name, arguments))
            case {"thought": str()} if len(value) == 1 and not (said or calls):
                said |= value
            case {"answer": str()} | {"ask": str()} if len(value) == 1:
                said |= value
            case _:
                raise MalformedReply("name and parameters, answer or ask", text, position)
        position = skip_blanks(text, stop)
    try:
        thought = said.get("thought", "")
        return build_decision(thought, calls or None, said.get("answer"), said.get("ask"))
    except ValueError as error:
        raise MalformedReply(str(error), text, 0) from error


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        format_json({"name": result.name, "output": result.content}) for result in results
    )
