"""Ways to write a prompt's tools and a model's decisions down.

A reply format is a module with `write(turn)`, its inverse `read(text, tools)`, and `observe`.
The laws, tested over the whole registry: `read(write(turn), tools) == turn`, and what begins as
none of OPENINGS is malformed whatever follows.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from agent_tuning.prompts.formats import (
    autogpt,
    hermes,
    llama,
    markdown,
    mistral,
    openai,
    pythonic,
    react,
    xml,
    yaml,
)
from agent_tuning.prompts.formats.reading import MalformedReply
from agent_tuning.prompts.tool_lists import documents, lines, signatures
from agent_tuning.records import Assistant, Tool, ToolResult

__all__ = ["REPLY_FORMATS", "TOOL_FORMATS", "MalformedReply", "ReplyFormat"]


class ReplyFormat(Protocol):
    @property
    def VALID_PREFIXES(self) -> tuple[str, ...]:
        """How a text can begin, after blanks; every text begins as ""."""

    def write(self, turn: Assistant, /) -> str:
        """What the model has to say to make this decision."""

    def read(self, text: str, tools: Sequence[Tool], /) -> Assistant:
        """The decision a model's text makes; raises MalformedReply with the place."""

    def observe(self, results: Sequence[ToolResult], /) -> str:
        """How the observations of one turn's calls are shown to the model."""


REPLY_FORMATS: dict[str, ReplyFormat] = {
    "react": react,
    "autogpt": autogpt,
    "hermes": hermes,
    "openai": openai,
    "pythonic": pythonic,
    "llama": llama,
    "mistral": mistral,
    "xml": xml,
    "yaml": yaml,
    "markdown": markdown,
}

TOOL_FORMATS: dict[str, Callable[[Sequence[Tool]], str]] = {
    "openai": documents.openai,
    "react": lines.react,
    "autogpt": lines.autogpt,
    "python": signatures.python,
    "typescript": signatures.typescript,
    "hermes": documents.hermes,
    "mcp": documents.mcp,
    "yaml": documents.yaml_list,
    "xml": documents.xml,
    "markdown": lines.markdown,
    "bullets": lines.bullets,
    "compact": signatures.compact,
}
