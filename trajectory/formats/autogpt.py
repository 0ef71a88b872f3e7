"""AutoGPT: one JSON object of thoughts and a command, an answer, or a question to ask."""

from collections.abc import Sequence

import msgspec

from trajectory.formats.reading import Malformed, json_object, json_text
from trajectory.records import Assistant, Call, Json, Record, Tool, ToolResult


class Command(Record, frozen=True):
    name: str
    args: dict[str, Json] = {}


class Reply(Record, frozen=True):
    """The object as it stands in the text; exactly one of the last three is there."""

    thoughts: str = ""
    command: Command | list[Command] | None = None
    answer: str | None = None
    ask: str | None = None


def write(turn: Assistant) -> str:
    reply: dict[str, Json] = {"thoughts": turn.thought} if turn.thought else {}
    commands = [{"name": call.name, "args": call.arguments} for call in turn.calls]
    if turn.decision == "call":
        reply["command"] = commands[0] if len(commands) == 1 else commands
    else:
        reply["ask" if turn.decision == "ask" else "answer"] = turn.text
    return json_text(reply)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = len(text) - len(text.lstrip())
    value, end = json_object(text, start)
    if text[end:].strip():
        raise Malformed("the end", text, end)
    try:
        reply = msgspec.convert(value, Reply)
        return _decision(reply)
    except ValueError as error:
        raise Malformed(
            f"thoughts and one command, answer or ask ({error})", text, start
        ) from error


def _decision(reply: Reply) -> Assistant:
    if sum(part is not None for part in (reply.command, reply.answer, reply.ask)) != 1:
        raise ValueError("one of command, answer and ask")
    thought = " ".join(reply.thoughts.split()) if "\n" in reply.thoughts else reply.thoughts.strip()
    if reply.answer is not None:
        return Assistant("no_call", thought, text=reply.answer)
    if reply.ask is not None:
        return Assistant("ask", thought, text=reply.ask)
    commands = reply.command if isinstance(reply.command, list) else [reply.command]
    calls = tuple(Call(command.name, command.args) for command in commands if command)
    return Assistant("call", thought, calls)


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        json_text({"command": result.name, "result": result.content}) for result in results
    )
