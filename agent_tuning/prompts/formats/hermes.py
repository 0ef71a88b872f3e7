"""Hermes: JSON calls between <tool_call> tags; <answer> and <ask> say the other decisions."""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    expect_end,
    format_json,
    read_json_object,
)
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = ("<think>", "<tool_call>", "<answer>", "<ask>")
# Greedy on purpose: a thought or an answer may itself hold the closing tag.
THOUGHT = re.compile(r"\s*(?:<think>([^\n]*)</think>\n?)?")
TEXT = re.compile(r"<(answer|ask)>(.*)</\1>\s*", re.DOTALL)
OPEN = re.compile(r"\s*<tool_call>\s*")
CLOSE = re.compile(r"\s*</tool_call>")


def write(turn: Assistant) -> str:
    lines = [f"<think>{turn.thought}</think>"] if turn.thought else []
    for call in turn.calls:
        body = format_json({"name": call.name, "arguments": call.arguments})
        lines.append(f"<tool_call>\n{body}\n</tool_call>")
    if turn.decision != "call":
        tag = "ask" if turn.decision == "ask" else "answer"
        lines.append(f"<{tag}>{turn.text}</{tag}>")
    return "\n".join(lines)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    if said := TEXT.fullmatch(text, position):
        decision: Literal["ask", "no_call"] = "ask" if said.group(1) == "ask" else "no_call"
        return Assistant(decision, thought, text=said.group(2))
    calls = []
    while opening := OPEN.match(text, position):
        call, position = _call(text, opening.end())
        calls.append(call)
    if not calls:
        raise MalformedReply("<tool_call>, <answer> or <ask>", text, position)
    expect_end(text, position)
    return Assistant("call", thought, tuple(calls))


def _call(text: str, position: int) -> tuple[Call, int]:
    value, stop = read_json_object(text, position)
    closing = CLOSE.match(text, stop)
    if not closing:
        raise MalformedReply("</tool_call>", text, stop)
    try:
        return msgspec.convert(value, Call), closing.end()
    except msgspec.ValidationError as error:
        raise MalformedReply(f"name and arguments ({error})", text, position) from error


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f"<tool_response>\n{format_json({'name': r.name, 'content': r.content})}\n</tool_response>"
        for r in results
    )
