"""YAML: thought, then calls with their arguments, or an answer, or a question to ask.

Strings are always quoted, so that neither `no` nor `2026-11-25` becomes something else.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec
import yaml

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    build_decision,
    format_json,
    read_json_value,
)
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment, join_lines
from agent_tuning.records import Assistant, Call, Json, Record, Tool, ToolResult

VALID_PREFIXES = ("",)  # many ways to write one mapping
PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
# Line breaks of YAML that JSON leaves as they are, and what YAML refuses to read.
UNREADABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Reply(Record, frozen=True):
    thought: str = ""
    calls: list[Call] | None = None
    answer: str | None = None
    ask: str | None = None


class _Loader(yaml.BaseLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses aliases: nine lines of them can stand for gigabytes."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem_mark=self.get_mark())
        return super().compose_node(parent, index)


def segments(turn: Assistant) -> list[Segment]:
    return join_lines(_write_lines(turn))


def _write_lines(turn: Assistant) -> Iterator[list[Segment]]:
    if turn.thought:
        thought = Segment(_write_json(turn.thought)[1:-1], "thought")
        yield [Segment('thought: "'), thought, Segment('"')]
    if turn.decision != "call":
        key = "ask" if turn.decision == "ask" else "answer"
        yield [Segment(f"{key}: {_write_json(turn.text)}")]
        return
    yield [Segment("calls:")]
    for call in turn.calls:
        yield [Segment("- name: "), *_write_name(call.name)]
        yield [Segment("  arguments:" if call.arguments else "  arguments: {}")]
        for key, value in call.arguments.items():
            yield [Segment(f"    {_write_word(key)}: {_write_json(value)}")]


def _write_name(name: str) -> list[Segment]:
    word = _write_word(name)
    if word == name:
        return [Segment(name, "name")]
    return [Segment('"'), Segment(word[1:-1], "name"), Segment('"')]


def _write_word(text: str) -> str:
    """A word without quotes where YAML reads it as the same string."""
    return text if PLAIN.fullmatch(text) and text not in CONSTANTS else _write_json(text)


def _write_json(value: Json) -> str:
    """JSON that is YAML too."""
    return UNREADABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", format_json(value))


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    try:
        value = _read_value(yaml.compose(text, Loader=_Loader))
        format_json(value).encode()  # "\\ud800" is half of a character
        reply = msgspec.convert(value, Reply)
        return build_decision(reply.thought, reply.calls, reply.answer, reply.ask)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = mark.index if mark else getattr(error, "position", 0)
        raise MalformedReply("YAML", text, place) from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise MalformedReply(f"calls, answer or ask ({error})", text, 0) from error


def _read_value(node: yaml.Node | None) -> Json:
    match node:
        case yaml.MappingNode():
            return {_read_key(name): _read_value(value) for name, value in node.value}
        case yaml.SequenceNode():
            return list(map(_read_value, node.value))
        case yaml.ScalarNode():
            return _read_scalar(node.value) if node.style is None else node.value
    return None


def _read_key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.MarkedYAMLError(problem_mark=node.start_mark)
    return str(node.value)


def _read_scalar(text: str) -> Json:
    """What stands without quotes: JSON's numbers and constants; all the rest is a string."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    try:
        value, stop = read_json_value(text, 0)
    except MalformedReply:
        return text
    return value if stop == len(text) and isinstance(value, int | float) else text


def write_observations(results: Sequence[ToolResult]) -> str:
    lines = (f"- name: {_write_word(r.name)}\n  content: {_write_json(r.content)}" for r in results)
    return "\n".join(["results:", *lines])


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
