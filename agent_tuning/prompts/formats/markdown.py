"""Markdown: the thought as a quotation, a call as its name and a code block of arguments."""

import re
from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    expect_end,
    format_json,
    read_json_object,
)
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = (">", "**Call**", "**Answer**", "**Ask**")
THOUGHT = re.compile(r"\s*(?:> ?([^\n]*)\n)?")
TEXT = re.compile(r"\*\*(Answer|Ask)\*\* ?(.*)", re.DOTALL)
OPEN = re.compile(r"\s*\*\*Call\*\* `([^`\n]+)`\s*```json\s*")
CLOSE = re.compile(r"\s*```")


def write(turn: Assistant) -> str:
    lines = [f"> {turn.thought}"] if turn.thought else []
    lines += [f"**Call** {_block(call.name, format_json(call.arguments))}" for call in turn.calls]
    if turn.decision != "call":
        lines.append(f"**{'Ask' if turn.decision == 'ask' else 'Answer'}** {turn.text}")
    return "\n".join(lines)


def _block(name: str, content: str) -> str:
    return f"`{name}`\n```json\n{content}\n```"


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    if said := TEXT.fullmatch(text, position):
        ask = said.group(1) == "Ask"
        return Assistant("ask" if ask else "no_call", thought, text=said.group(2))
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


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(f"**Result** {_block(r.name, format_json(r.content))}" for r in results)
