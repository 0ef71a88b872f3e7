"""Llama: a line of JSON for the thought, then one for each call, or for an answer or a question."""

from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    build_decision,
    format_json,
    read_json_object,
    skip_blanks,
)
from agent_tuning.prompts.formats.segments import (
    JsonLeaf,
    ReplyFormat,
    Segment,
    join_lines,
    json_segments,
)
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = ("{",)


def segments(turn: Assistant) -> list[Segment]:
    lines: list[dict[str, object]] = []
    if turn.thought:
        lines.append({"thought": JsonLeaf(turn.thought, "thought")})
    for call in turn.calls:
        arguments = JsonLeaf(call.arguments)
        lines.append({"name": JsonLeaf(call.name, "name"), "parameters": arguments})
    if turn.decision != "call":
        lines.append({"ask" if turn.decision == "ask" else "answer": turn.text})
    return join_lines(map(json_segments, lines))


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    texts: dict[str, str] = {}
    calls: list[Call] = []
    position = skip_blanks(text, 0)
    while position < len(text):
        value, stop = read_json_object(text, position)
        match value:
            case {"name": str(name), "parameters": dict(arguments)} if len(value) == 2:
                calls.append(Call(name, arguments))
            case {"thought": str()} if len(value) == 1 and not (texts or calls):
                texts |= value
            case {"answer": str()} | {"ask": str()} if len(value) == 1:
                texts |= value
            case _:
                raise MalformedReply("name and parameters, answer or ask", text, position)
        position = skip_blanks(text, stop)
    try:
        thought = texts.get("thought", "")
        return build_decision(thought, calls or None, texts.get("answer"), texts.get("ask"))
    except ValueError as error:
        raise MalformedReply(str(error), text, 0) from error


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        format_json({"name": result.name, "output": result.content}) for result in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
