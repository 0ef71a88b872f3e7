"""XML: an element per call and per argument, whose value is JSON; <answer> and <ask>."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, unescape

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    build_decision,
    expect_end,
    format_json,
    read_json_value,
)
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult

VALID_PREFIXES = ("<thought>", "<call ", "<answer>", "<ask>")
# No XML parser reads a model's text: it would resolve entities, and refuse control characters.
THOUGHT = re.compile(r"\s*(?:<thought>([^<]*)</thought>\s*)?")
TEXT = re.compile(r"<(answer|ask)>(.*)</\1>\s*", re.DOTALL)
OPEN = re.compile(r'\s*<call name="([^"<]*)">')
ARGUMENT = re.compile(r'\s*<arg name="([^"<]*)">([^<]*)</arg>')
CLOSE = re.compile(r"\s*</call>")
QUOTES = {'"': "&quot;"}
UNQUOTES = {"&quot;": '"', "&apos;": "'"}


def write(turn: Assistant) -> str:
    lines = [f"<thought>{escape(turn.thought)}</thought>"] if turn.thought else []
    for call in turn.calls:
        lines.append(f'<call name="{escape(call.name, QUOTES)}">')
        for name, value in call.arguments.items():
            lines.append(f'<arg name="{escape(name, QUOTES)}">{escape(format_json(value))}</arg>')
        lines.append("</call>")
    if turn.decision != "call":
        tag = "ask" if turn.decision == "ask" else "answer"
        lines.append(f"<{tag}>{escape(turn.text)}</{tag}>")
    return "\n".join(lines)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = _plain(start.group(1) or ""), start.end()
    if said := TEXT.fullmatch(text, position):
        answer = _plain(said.group(2))
        both = (None, answer) if said.group(1) == "ask" else (answer, None)
        return build_decision(thought, None, *both)
    calls = []
    while opening := OPEN.match(text, position):
        arguments, position = _arguments(text, opening.end())
        calls.append(Call(_plain(opening.group(1)), arguments))
    if not calls:
        raise MalformedReply("<call>, <answer> or <ask>", text, position)
    expect_end(text, position)
    return build_decision(thought, calls, None, None)


def _arguments(text: str, position: int) -> tuple[dict[str, Json], int]:
    """What stands in a call, and where the call ends."""
    arguments = {}
    while argument := ARGUMENT.match(text, position):
        said = _plain(argument.group(2)).strip()
        try:
            value, stop = read_json_value(said, 0)
            expect_end(said, stop)
        except MalformedReply as error:
            raise MalformedReply(f"a JSON value ({error})", text, argument.start(2)) from error
        arguments[_plain(argument.group(1))] = value
        position = argument.end()
    closing = CLOSE.match(text, position)
    if not closing:
        raise MalformedReply("<arg> or </call>", text, position)
    return arguments, closing.end()


def _plain(text: str) -> str:
    return unescape(text, UNQUOTES)


def observe(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f'<result name="{escape(r.name, QUOTES)}">{escape(format_json(r.content))}</result>'
        for r in results
    )
