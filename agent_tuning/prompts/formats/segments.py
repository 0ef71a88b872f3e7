"""A reply in segments: its text in pieces, each with the part of the decision that it writes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Assistant, Json, Tool, ToolResult

Part = Literal["", "thought", "name"]  # a tool's name; all other text is ""


class Segment(NamedTuple):
    text: str
    part: Part = ""


class ReplyFormat(NamedTuple):
    """A way to write decisions down.

    `VALID_PREFIXES` are the beginnings that a reply may have, after blanks; every text begins with
    the empty one. `segments` gives what the model has to write for a decision, and `read` is its
    inverse; it raises MalformedReply with the character. `write_observations` shows the model the
    results of one turn's calls. `find_problem` says why a turn cannot be written: in most formats
    every turn can.
    """

    VALID_PREFIXES: tuple[str, ...]
    segments: Callable[[Assistant], list[Segment]]
    read: Callable[[str, Sequence[Tool]], Assistant]
    write_observations: Callable[[Sequence[ToolResult]], str]
    find_problem: Callable[[Assistant], str | None] = lambda _: None

    def write(self, turn: Assistant) -> str:
        """The whole text of a decision. Raises ValueError if `find_problem` finds one."""
        return "".join(segment.text for segment in self.segments(turn))


class JsonLeaf(NamedTuple):
    """A JSON value that `json_segments` writes as it is.

    With a part the value is a string, and its characters between the quotes are that part.
    """

    value: Json
    part: Part = ""


def json_segments(value: object) -> Iterator[Segment]:
    """The text that `format_json` gives, where objects and lists may hold `JsonLeaf`s."""
    if isinstance(value, JsonLeaf):
        text = format_json(value.value)
        if value.part:
            yield from (Segment('"'), Segment(text[1:-1], value.part), Segment('"'))
        else:
            yield Segment(text)
    elif isinstance(value, dict):
        for number, (key, item) in enumerate(value.items()):
            yield Segment(f"{', ' if number else '{'}{format_json(key)}: ")
            yield from json_segments(item)
        yield Segment("}" if value else "{}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield Segment(", " if number else "[")
            yield from json_segments(item)
        yield Segment("]" if value else "[]")
    else:
        yield Segment(format_json(value))


def join_lines(lines: Iterable[Iterable[Segment]]) -> list[Segment]:
    """One text of several lines."""
    segments: list[Segment] = []
    for number, line in enumerate(lines):
        if number:
            segments.append(Segment("\n"))
        segments += line
    return segments
