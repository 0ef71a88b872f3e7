"""Calls as blocks of JSON, each between the lines <tool_call> and </tool_call>."""

import re
from collections.abc import Iterator, Sequence

import msgspec

from agent_tuning.prompts.formats.reading import MalformedReply, read_json_object
from agent_tuning.prompts.formats.segments import JsonLeaf, Segment, json_segments
from agent_tuning.records import Call

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_OPENING = re.compile(rf"\s*{OPEN}\s*")
_CLOSING = re.compile(rf"\s*{CLOSE}")


def write_blocks(calls: Sequence[Call]) -> Iterator[list[Segment]]:
    """The lines of all blocks, three for each call."""
    for call in calls:
        body = {"name": JsonLeaf(call.name, "name"), "arguments": JsonLeaf(call.arguments)}
        yield from ([Segment(OPEN)], list(json_segments(body)), [Segment(CLOSE)])


def read_blocks(text: str, position: int) -> tuple[tuple[Call, ...], int]:
    """The calls of the blocks that follow each other from `position`, and where the last ends.

    Blanks may stand around a tag. Raises MalformedReply for a block that is opened and no call.
    """
    calls = []
    while opening := _OPENING.match(text, position):
        call, position = _read_block(text, opening.end())
        calls.append(call)
    return tuple(calls), position


def _read_block(text: str, position: int) -> tuple[Call, int]:
    value, stop = read_json_object(text, position)
    closing = _CLOSING.match(text, stop)
    if not closing:
        raise MalformedReply(CLOSE, text, stop)
    try:
        return msgspec.convert(value, Call), closing.end()
    except msgspec.ValidationError as error:
        raise MalformedReply(f"name and arguments ({error})", text, position) from error
