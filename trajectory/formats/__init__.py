"""Ways to write a prompt's tools and a model's decisions down.

A reply format is a module with `write(turn)`, its inverse `read(text, tools)`, and `observe`.
The law, tested over the whole registry: `read(write(turn), tools) == turn`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from trajectory.formats import autogpt, hermes, menus, react
from trajectory.formats.reading import Malformed
from trajectory.records import Assistant, Tool, ToolResult

__all__ = ["REPLY_FORMATS", "TOOL_FORMATS", "Malformed", "ReplyFormat"]


class ReplyFormat(Protocol):
    def write(self, turn: Assistant, /) -> str:
        """What the model has to say to make this decision."""

    def read(self, text: str, tools: Sequence[Tool], /) -> Assistant:
        """The decision a model's text makes; raises Malformed with the place."""

    def observe(self, results: Sequence[ToolResult], /) -> str:
        """How the observations of one turn's calls are shown to the model."""


REPLY_FORMATS: dict[str, ReplyFormat] = {"react": react, "autogpt": autogpt, "hermes": hermes}

TOOL_FORMATS: dict[str, Callable[[Sequence[Tool]], str]] = {
    "openai": menus.openai,
    "react": menus.react,
    "autogpt": menus.autogpt,
    "python": menus.python,
    "typescript": menus.typescript,
}
