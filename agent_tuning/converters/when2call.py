"""When2Call's rows to train on: the messages of OpenAI, and no reply is a call.

Tools have Python's types, and what they require stands beside their parameters. A row without
tools is an error: its refusal would be general conversation, and teach to refuse without a reason.
"""

from typing import ClassVar, Literal

import msgspec

from agent_tuning.converters import openai, row_fields, row_parts, rows
from agent_tuning.records import Group, Json


class Message(msgspec.Struct):
    role: Literal["system", "user", "assistant"]
    content: str


class Row(msgspec.Struct):
    messages: list[Message]
    tools: list[dict[str, Json] | str] | str
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    tools = row_parts.read_tools(row.tools, ours=False)
    if not tools:
        raise ValueError("tools: none: a refusal without tools is no general conversation")
    said = [openai.Message(message.role, message.content) for message in row.messages]
    return rows.build_group(openai.read_turns(said), tools, "")
