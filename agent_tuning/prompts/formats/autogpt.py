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
from agent_tuning.prompts.formats.segments import JsonLeaf, ReplyFormat, Segment, json_segments
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


def segments(turn: Assistant) -> list[Segment]:
    reply: dict[str, object] = {}
    if turn.thought:
        reply["thoughts"] = JsonLeaf(turn.thought, "thought")
    commands = [
        {"name": JsonLeaf(call.name, "name"), "args": JsonLeaf(call.arguments)}
        for call in turn.calls
    ]
    if turn.decision == "call":
        reply["command"] = commands[0] if len(commands) == 1 else commands
    else:
        reply["ask" if turn.decision == "ask" else "answer"] = turn.text
    return list(json_segments(reply))


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = skip_blanks(text, 0)
    value, stop = read_json_object(text, start)
    expect_end(text, stop)
    try:
        reply = msgspec.convert(value, Reply)
        return build_decision(reply.thoughts, _read_calls(reply.command), reply.answer, reply.ask)
    except ValueError as error:
        raise MalformedReply(
            f"thoughts and one command, answer or ask ({error})", text, start
        ) from error


def _read_calls(written: Command | list[Command] | None) -> list[Call] | None:
    if written is None:
        return None
    commands = written if isinstance(written, list) else [written]
    return [Call(command.name, command.args) for command in commands]


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        format_json({"command": result.name, "result": result.content}) for result in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
