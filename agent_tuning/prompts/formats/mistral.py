"""Mistral: [TOOL_CALLS] and a JSON list; [ANSWER] and [ASK] say the other decisions."""

import re
from collections.abc import Sequence

import msgspec

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    expect_end,
    format_json,
    read_json_value,
)
from agent_tuning.prompts.formats.segments import JsonLeaf, ReplyFormat, Segment, json_segments
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = ("[THINK]", "[TOOL_CALLS]", "[ANSWER]", "[ASK]")
# Greedy on purpose: a thought may itself hold the closing mark.
THOUGHT = re.compile(r"\s*(?:\[THINK\]([^\n]*)\[/THINK\]\n?)?")
TEXT = re.compile(r"\[(ANSWER|ASK)\] ?(.*)", re.DOTALL)
CALLS = re.compile(r"\[TOOL_CALLS\]\s*")


def segments(turn: Assistant) -> list[Segment]:
    segments: list[Segment] = []
    if turn.thought:
        thought = Segment(turn.thought, "thought")
        segments += [Segment("[THINK]"), thought, Segment("[/THINK]\n")]
    if turn.decision == "call":
        calls = [
            {"name": JsonLeaf(call.name, "name"), "arguments": JsonLeaf(call.arguments)}
            for call in turn.calls
        ]
        return [*segments, Segment("[TOOL_CALLS] "), *json_segments(calls)]
    tag = "ASK" if turn.decision == "ask" else "ANSWER"
    return [*segments, Segment(f"[{tag}] {turn.text}")]


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    if final := TEXT.fullmatch(text, position):
        ask = final.group(1) == "ASK"
        return Assistant("ask" if ask else "no_call", thought, text=final.group(2))
    opening = CALLS.match(text, position)
    if not opening:
        raise MalformedReply("[TOOL_CALLS], [ANSWER] or [ASK]", text, position)
    value, stop = read_json_value(text, opening.end(), "a JSON list")
    expect_end(text, stop)
    try:
        return Assistant("call", thought, msgspec.convert(value, tuple[Call, ...]))
    except ValueError as error:
        raise MalformedReply(f"a list of calls ({error})", text, opening.end()) from error


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f"[TOOL_RESULTS] {format_json({'name': r.name, 'content': r.content})}[/TOOL_RESULTS]"
        for r in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
