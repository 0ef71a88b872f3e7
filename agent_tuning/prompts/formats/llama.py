"""Llama: a line of JSON for the thought, then one for each call, or for an answer or a question."""

from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import Malformed, decision, json_object, json_text, skip
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult

OPENINGS = ("{",)


def write(turn: Assistant) -> str:
    lines: list[Json] = [{"thought": turn.thought}] if turn.thought else []
    lines += [{"name": call.name, "parameters": call.arguments} for call in turn.calls]
    if turn.decision != "call":
        lines.append({"ask" if turn.decision == "ask" else "answer": turn.text})
    return "\n".join(map(json_text, lines))


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    said: dict[str, str] = {}
    calls: list[Call] = []
    position = skip(text, 0)
    while position < len(text):
        value, stop = json_object(text, position)
        match value:
            case {"name": str(name), "parameters": dict(arguments)} if len(value) == 2:
                calls.append(Call(name, arguments))
            case {"thought": str()} if len(value) == 1 and not (said or calls):
                said |= value
            case {"answer": str()} | {"ask": str()} if len(value) == 1:
                said |= value
            case _:
                raise Malformed("name and parameters, answer or ask", text, position)
        position = skip(text, stop)
    try:
        thought = said.get("thought", "")
        return decision(thought, calls or None, said.get("answer"), said.get("ask"))
    except ValueError as error:
        raise Malformed(str(error), text, 0) from error


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        json_text({"name": result.name, "output": result.content}) for result in results
    )
