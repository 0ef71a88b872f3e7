"""What encoding a conversation gives: token ids, which are trained, and their parts of a decision.

All prompts share these types, whoever writes the markup around the turns.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from agent_tuning.prompts.formats.segments import Segment

# Of a decision. "arguments" is all that follows the name of a tool, up to the next name.
Part = Literal["", "thought", "name", "arguments"]


class TextSpan(NamedTuple):
    """Where a part of a decision starts and stops in its text, in characters."""

    start: int
    stop: int
    part: Part


class Encoded(NamedTuple):
    """Token ids; for each, whether the model is trained to emit it, and its part of a decision."""

    ids: list[int]
    trained: list[bool]
    parts: list[Part]


def find_spans(segments: Sequence[Segment], start: int = 0) -> list[TextSpan]:
    """Names, then thoughts, then arguments: all that follows a name, up to the next one.

    The text of the segments begins at `start`.
    """
    names: list[TextSpan] = []
    thoughts: list[TextSpan] = []
    position = start
    for text, part in segments:
        begin, position = position, position + len(text)
        if part == "name":
            names.append(TextSpan(begin, position, part))
        elif part == "thought":
            thoughts.append(TextSpan(begin, position, part))
    next_starts = [*(name.start for name in names[1:]), position]
    arguments = [
        TextSpan(name.stop, stop, "arguments")
        for name, stop in zip(names, next_starts, strict=False)
    ]
    return [*names, *thoughts, *arguments]


def label_tokens(offsets: Sequence[tuple[int, int]], spans: Sequence[TextSpan]) -> list[Part]:
    """The part of each token. A token in two spans has the part of the first one."""
    return [
        next((span.part for span in spans if start < span.stop and span.start < stop), "")
        for start, stop in offsets
    ]
