"""ToolACE's dialogues: the tools are a JSON list in `system`, calls `[Name(arg="v"), Other()]`.

Many calls have no result. The prompt around the tools is left out, because our templates replace
it, but for the sentence that says which day or time it is. Names of tools may have blanks, which
no format can write: they become `_`. Results are a JSON list with the name of the tool in each.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import msgspec

from agent_tuning.converters import bracket_calls, dialogues, row_fields, row_parts, rows
from agent_tuning.converters.dialogues import Speaker, Utterance
from agent_tuning.converters.tool_names import make_name
from agent_tuning.records import Assistant, Call, Group, Json, Tool, ToolResult

TOOL_LIST = re.compile(r"\[\s*\{")
TODAY = re.compile(
    r"(?:today is|(?:the )?current (?:year|date|day|time)\b)[^.\n{}\[\]]*\.?", re.IGNORECASE
)
RESULT = "results"  # of a tool, beside its name
SPEAKERS: dict[str, Speaker] = {"user": "user", "assistant": "assistant", "tool": "tool"}


class Row(msgspec.Struct):
    system: str
    conversations: list[Utterance]
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    listed, around = _split_system(row.system)
    tools = row_parts.read_tools(listed, ours=False)
    read_reply = partial(_read_reply, [tool.name for tool in tools])
    said = dialogues.read_turns(row.conversations, SPEAKERS, read_reply, _read_results)
    system = rows.System(" ".join(TODAY.findall(around)))
    return rows.build_group([system, *said], list(map(_rename, tools)), "")


def _split_system(text: str) -> tuple[Json, str]:
    """The list of tools in a prompt, and the prompt around it."""
    start = TOOL_LIST.search(text)
    if not start:
        raise ValueError("system: expected a list of tools in JSON")
    listed, end = row_parts.read_json_at(text, start.start(), "system")
    return listed, f"{text[: start.start()]}\n{text[end:]}"


def _rename(tool: Tool) -> Tool:
    return msgspec.structs.replace(tool, name=make_name(tool.name))


def _read_reply(names: Sequence[str], text: str, place: str) -> Assistant:
    """An answer, or calls; what stands before the calls is their thought."""
    text = text.strip()
    start = bracket_calls.find(text, names)
    if start is None:
        return row_parts.build_answer(text)
    read = bracket_calls.read(text[start:], names, place)
    calls = [Call(make_name(call.name), call.arguments) for call in read]
    return row_parts.build_call_turn(text[:start], calls)


def _read_results(calls: Sequence[Call], text: str, place: str) -> list[ToolResult]:
    value = row_parts.read_observation(text)
    if not isinstance(value, list):
        return row_parts.build_results(calls, [value], place)
    items = [_rename_result(item) for item in value]
    if len(calls) == 1 and not any(map(_is_result, items)):
        items = [value]  # one tool gave a list
    return row_parts.pair_results(calls, items, RESULT, place)


def _is_result(item: Json) -> bool:
    return isinstance(item, dict) and item.keys() == {"name", RESULT}


def _rename_result(item: Json) -> Json:
    return {**item, "name": make_name(str(item["name"]))} if _is_result(item) else item
