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
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = ("[THINK]", "[TOOL_CALLS]", "[ANSWER]", "[ASK]")
# Greedy on purpose: a thought may itself hold the closing mark.
THOUGHT = re.compile(r"\s*(?:\[THINK\]([^\n]*)\[/THINK\]\n?)?")
TEXT = re.compile(r"\[(ANSWER|ASK)\] ?(.*)", re.DOTALL)
CALLS = re.compile(r"\[TOOL_CALLS\]\s*")


def write(turn: Assistant) -> str:
    thought = f"[THINK]{turn.thought}[/THINK]\n" if turn.thought else ""
    if turn.decision == "call":
        calls = [{"name": call.name, "arguments": call.arguments} for call in turn.calls]
        return f"{thought}[TOOL_CALLS] {format_json(calls)}"
    return f"{thought}[{'ASK' if turn.decision == 'ask' else 'ANSWER'}] {turn.text}"


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    if said := TEXT.fullmatch(text, position):
        ask = said.group(1) == "ASK"
        return Assistant("ask" if ask else "no_call", thought, text=said.group(2))
    opening = CALLS.match(text, position)
    if not opening:
        raise MalformedReply("[TOOL_CALLS], [ANSWER] or [ASK]", text, position)
    value, stop = read_json_value(text, opening.end(), "a JSON list")
    expect_end(text, stop)
    try:
        return Assistant("call", thought, msgspec.convert(value, tuple[Call, ...]))
    except ValueError as error:
        raise MalformedReply(f"a list of calls ({error})", text, opening.end()) from error


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f"[TOOL_RESULTS] {format_json({'name': r.name, 'content': r.content})}[/TOOL_RESULTS]"
        for r in results
    )
