"""Hermes: JSON calls between <tool_call> tags; <answer> and <ask> say the other decisions."""

import re
from collections.abc import Sequence
from typing import Literal

from agent_tuning.prompts.formats.reading import MalformedReply, expect_end, format_json
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment, join_lines
from agent_tuning.prompts.formats.tool_call_blocks import read_blocks, write_blocks
from agent_tuning.records import Assistant, Tool, ToolResult

VALID_PREFIXES = ("<think>", "<tool_call>", "<answer>", "<ask>")
# Greedy on purpose: a thought or an answer may itself hold the closing tag.
THOUGHT = re.compile(r"\s*(?:<think>([^\n]*)</think>\n?)?")
TEXT = re.compile(r"<(answer|ask)>(.*)</\1>\s*", re.DOTALL)


def segments(turn: Assistant) -> list[Segment]:
    lines: list[list[Segment]] = []
    if turn.thought:
        thought = Segment(turn.thought, "thought")
        lines.append([Segment("<think>"), thought, Segment("</think>")])
    lines += write_blocks(turn.calls)
    if turn.decision != "call":
        tag = "ask" if turn.decision == "ask" else "answer"
        lines.append([Segment(f"<{tag}>{turn.text}</{tag}>")])
    return join_lines(lines)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    if final := TEXT.fullmatch(text, position):
        decision: Literal["ask", "no_call"] = "ask" if final.group(1) == "ask" else "no_call"
        return Assistant(decision, thought, text=final.group(2))
    calls, position = read_blocks(text, position)
    if not calls:
        raise MalformedReply("<tool_call>, <answer> or <ask>", text, position)
    expect_end(text, position)
    return Assistant("call", thought, calls)


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f"<tool_response>\n{format_json({'name': r.name, 'content': r.content})}\n</tool_response>"
        for r in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
