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
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment, join_lines
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


def segments(turn: Assistant) -> list[Segment]:
    lines: list[list[Segment]] = []
    if turn.thought:
        thought = Segment(escape(turn.thought), "thought")
        lines.append([Segment("<thought>"), thought, Segment("</thought>")])
    for call in turn.calls:
        tool = Segment(escape(call.name, QUOTES), "name")
        lines.append([Segment('<call name="'), tool, Segment('">')])
        for name, value in call.arguments.items():
            content = escape(format_json(value))
            lines.append([Segment(f'<arg name="{escape(name, QUOTES)}">{content}</arg>')])
        lines.append([Segment("</call>")])
    if turn.decision != "call":
        tag = "ask" if turn.decision == "ask" else "answer"
        lines.append([Segment(f"<{tag}>{escape(turn.text)}</{tag}>")])
    return join_lines(lines)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = _unescape(start.group(1) or ""), start.end()
    if final := TEXT.fullmatch(text, position):
        answer = _unescape(final.group(2))
        both = (None, answer) if final.group(1) == "ask" else (answer, None)
        return build_decision(thought, None, *both)
    calls = []
    while opening := OPEN.match(text, position):
        arguments, position = _read_arguments(text, opening.end())
        calls.append(Call(_unescape(opening.group(1)), arguments))
    if not calls:
        raise MalformedReply("<call>, <answer> or <ask>", text, position)
    expect_end(text, position)
    return build_decision(thought, calls, None, None)


def _read_arguments(text: str, position: int) -> tuple[dict[str, Json], int]:
    """What stands in a call, and where the call ends."""
    arguments = {}
    while argument := ARGUMENT.match(text, position):
        content = _unescape(argument.group(2)).strip()
        try:
            value, stop = read_json_value(content, 0)
            expect_end(content, stop)
        except MalformedReply as error:
            raise MalformedReply(f"a JSON value ({error})", text, argument.start(2)) from error
        arguments[_unescape(argument.group(1))] = value
        position = argument.end()
    closing = CLOSE.match(text, position)
    if not closing:
        raise MalformedReply("<arg> or </call>", text, position)
    return arguments, closing.end()


def _unescape(text: str) -> str:
    return unescape(text, UNQUOTES)


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f'<result name="{escape(r.name, QUOTES)}">{escape(format_json(r.content))}</result>'
        for r in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
