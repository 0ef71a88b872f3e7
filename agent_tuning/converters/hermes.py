"""Hermes' function calling rows: ShareGPT with calls and results between tags in the texts.

Tools are the JSON text `tools`, or stand between <tools> in the system prompt; the rest of that
prompt says how to write calls, and our templates replace it. A call is an object between
<tool_call>, a result between <tool_response>, as JSON or Python writes them.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from agent_tuning.converters import dialogues, python_literals, row_fields, row_parts, rows
from agent_tuning.converters.dialogues import Speaker, Utterance
from agent_tuning.records import Assistant, Call, Group, Json, Tool, ToolResult

TOOLS = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)
CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
RESPONSE = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
RESULT = "content"  # of a tool, beside its name
SPEAKERS: dict[str, Speaker] = {
    **{"system": "system", "human": "user", "user": "user"},
    **{"gpt": "assistant", "assistant": "assistant", "tool": "tool"},
}


class Row(msgspec.Struct):
    conversations: list[Utterance]
    tools: str | list[dict[str, Json] | str] | None = None
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW | {"subcategory", "task"}


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    said = dialogues.read_turns(row.conversations, SPEAKERS, _read_reply, _read_results)
    return rows.build_group(said, _read_tools(row), "")


def _read_tools(row: Row) -> tuple[Tool, ...]:
    system = "\n".join(said.value for said in row.conversations if said.speaker == "system")
    # The prompt names the tags first, in the sentence that explains them.
    texts = [text for text in TOOLS.findall(system) if text.strip(" .\n")]
    listed: Json = row.tools
    if row_fields.says_nothing(listed):
        listed = python_literals.read(texts[-1].strip(), "conversations.0.value") if texts else []
    tools = row_parts.read_tools(listed, ours=False)
    if not tools:
        raise ValueError("tools: expected a list of tools, there or between <tools>")
    return tools


def _read_reply(text: str, place: str) -> Assistant:
    """An answer, or calls; the text beside the calls is their thought."""
    blocks = CALL.findall(text)
    if not blocks:
        return row_parts.build_answer(text.strip())
    calls = [row_parts.read_call(python_literals.read(b.strip(), place), place) for b in blocks]
    return row_parts.build_call_turn(CALL.sub(" ", text), calls)


def _read_results(calls: Sequence[Call], text: str, place: str) -> list[ToolResult]:
    blocks = RESPONSE.findall(text)
    if not blocks or RESPONSE.sub("", text).strip():
        raise ValueError(f"{place}: expected results between <tool_response>, and nothing else")
    return row_parts.pair_results(calls, list(map(_read_result, blocks)), RESULT, place)


def _read_result(text: str) -> Json:
    """A result as JSON or Python writes it, or its text."""
    try:
        value = python_literals.read(text.strip(), "")
    except ValueError:
        return text.strip()
    # A number stays as it is written: version 3.10 is not 3.1.
    return value if isinstance(value, dict | list) else row_parts.read_observation(text.strip())
