"""Toucan's SFT rows: `messages` and `tools` are JSON texts.

A call is a message of role tool_call, written by Python, its arguments a JSON text in it. Calls
that follow one another are one turn, and their results follow in the same order: there are no ids.
What the model says right before calls is their thought. Otherwise the roles are those of ms-swift.
"""

from typing import ClassVar

import msgspec

from agent_tuning.converters import ms_swift, python_literals, row_fields, row_parts, rows
from agent_tuning.files import strict_json
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Group, Json

# A tool list as one chat template writes it; `tools` has the same.
DECLARATION = "<|im_system|>tool_declare"


class Message(msgspec.Struct):
    role: str
    content: str | None = None


class Conversation(msgspec.Struct):
    messages: list[Message]


class Row(msgspec.Struct):
    messages: str | list[Message]
    tools: str | list[dict[str, Json] | str] | None = None
    # The first text of the user, and tools that its author had in mind.
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW | {"subset_name", "question", "target_tools"}


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    messages = row.messages
    if isinstance(messages, str):
        decoded = strict_json.decode_text(messages, "messages")
        messages = row_fields.convert({"messages": decoded}, Conversation).messages
    said = [
        _translate(message, f"messages.{number}")
        for number, message in enumerate(messages)
        if not (message.content or "").startswith(DECLARATION)
    ]
    return rows.build_group(ms_swift.read_turns(said), row_parts.read_tools(row.tools, False), "")


def _translate(message: Message, place: str) -> ms_swift.Message:
    """A message as ms-swift has it: a call is JSON."""
    content = message.content
    if message.role == "tool_call":
        call = python_literals.read(content or "", f"{place}.content")
        if isinstance(call, dict) and isinstance(given := call.get("arguments"), str) and given:
            call["arguments"] = python_literals.read(given, f"{place}.content.arguments")
        content = format_json(call)
    return ms_swift.Message(message.role, content)
