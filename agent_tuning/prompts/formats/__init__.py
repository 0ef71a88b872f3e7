"""Ways to write a prompt's tools and a model's decisions down.

Each reply format is a module with one `FORMAT`. Two laws hold for every format and are tested over
the whole registry: `read(write(turn), tools) == turn`, and a text that begins with none of
VALID_PREFIXES is malformed, whatever follows. `native` has two exceptions: a thought is written
before calls only, and a turn that plain text cannot say is refused (`find_problem`).
"""

from collections.abc import Callable, Sequence

from agent_tuning.prompts.formats import (
    autogpt,
    hermes,
    llama,
    markdown,
    mistral,
    native,
    openai,
    pythonic,
    react,
    xml,
    yaml,
)
from agent_tuning.prompts.formats.reading import MalformedReply
from agent_tuning.prompts.formats.segments import ReplyFormat
from agent_tuning.prompts.tool_lists import documents, lines, signatures
from agent_tuning.records import Tool

__all__ = ["REPLY_FORMATS", "TOOL_FORMATS", "MalformedReply", "ReplyFormat"]


REPLY_FORMATS: dict[str, ReplyFormat] = {
    "react": react.FORMAT,
    "autogpt": autogpt.FORMAT,
    "hermes": hermes.FORMAT,
    "openai": openai.FORMAT,
    "pythonic": pythonic.FORMAT,
    "llama": llama.FORMAT,
    "mistral": mistral.FORMAT,
    "xml": xml.FORMAT,
    "yaml": yaml.FORMAT,
    "markdown": markdown.FORMAT,
    "native": native.FORMAT,
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
