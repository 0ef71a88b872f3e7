"""AutoGPT: one JSON object of thoughts and a command, an answer, or a question to ask."""

from collections.abc import Sequence

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
    return format_json(reply)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = skip_blanks(text, 0)
    value, stop = read_json_object(text, start)
    expect_end(text, stop)
    try:
        reply = msgspec.convert(value, Reply)
        return build_decision(reply.thoughts, _calls(reply.command), reply.answer, reply.ask)
    except ValueError as error:
        raise MalformedReply(
            f"thoughts and one command, answer or ask ({error})", text, start
        ) from error


def _calls(said: Command | list[Command] | None) -> list[Call] | None:
    if said is None:
        return None
    commands = said if isinstance(said, list) else [said]
    return [Call(command.name, command.args) for command in commands]


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        format_json({"command": result.name, "result": result.content}) for result in results
    )
