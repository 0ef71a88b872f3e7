"""Markdown: the thought as a quotation, a call as its name and a code block of arguments."""

import re
from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    expect_end,
    format_json,
    read_json_object,
)
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment, join_lines
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = (">", "**Call**", "**Answer**", "**Ask**")
THOUGHT = re.compile(r"\s*(?:> ?([^\n]*)\n)?")
TEXT = re.compile(r"\*\*(Answer|Ask)\*\* ?(.*)", re.DOTALL)
OPEN = re.compile(r"\s*\*\*Call\*\* `([^`\n]+)`\s*```json\s*")
CLOSE = re.compile(r"\s*```")


def segments(turn: Assistant) -> list[Segment]:
    lines: list[list[Segment]] = []
    if turn.thought:
        lines.append([Segment("> "), Segment(turn.thought, "thought")])
    for call in turn.calls:
        block = Segment(f"`\n{_code_block(format_json(call.arguments))}")
        lines.append([Segment("**Call** `"), Segment(call.name, "name"), block])
    if turn.decision != "call":
        label = "Ask" if turn.decision == "ask" else "Answer"
        lines.append([Segment(f"**{label}** {turn.text}")])
    return join_lines(lines)


def _code_block(content: str) -> str:
    return f"```json\n{content}\n```"


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    if final := TEXT.fullmatch(text, position):
        ask = final.group(1) == "Ask"
        return Assistant("ask" if ask else "no_call", thought, text=final.group(2))
    calls = []
    while opening := OPEN.match(text, position):
        arguments, stop = read_json_object(text, opening.end())
        closing = CLOSE.match(text, stop)
        if not closing:
            raise MalformedReply("```", text, stop)
        calls.append(Call(opening.group(1), arguments))
        position = closing.end()
    if not calls:
        raise MalformedReply("**Call**, **Answer** or **Ask**", text, position)
    expect_end(text, position)
    return Assistant("call", thought, tuple(calls))


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f"**Result** `{result.name}`\n{_code_block(format_json(result.content))}"
        for result in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
