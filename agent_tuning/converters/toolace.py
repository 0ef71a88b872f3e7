"""ToolACE's dialogues: the tools are a JSON list in `system`, calls `[Name(arg="v"), Other()]`.

Many calls have no result. The prompt around the tools is left out, because our templates replace
it, but for the sentence that says which day or time it is. Names of tools may have blanks, which
no format can write: they become `_`. Results are a JSON list with the name of the tool in each.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec

from agent_tuning.converters import bracket_calls, row_fields, row_parts, rows
from agent_tuning.converters.tool_names import make_name
from agent_tuning.files import strict_json
from agent_tuning.records import Assistant, Call, Group, Json, Tool, ToolResult, Turn, User

TOOL_LIST = re.compile(r"\[\s*\{")
TODAY = re.compile(
    r"(?:today is|(?:the )?current (?:year|date|day|time)\b)[^.\n{}\[\]]*\.?", re.IGNORECASE
)
RESULT = "results"  # of a tool, beside its name


class Utterance(msgspec.Struct):
    speaker: str = msgspec.field(name="from")
    value: str


class Row(msgspec.Struct):
    system: str
    conversations: list[Utterance]
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    listed, around = _split_system(row.system)
    tools = row_parts.read_tools(listed, ours=False)
    today = TODAY.findall(around)
    system = [rows.System(" ".join(today))] if today else []
    said = _read_turns(row.conversations, [tool.name for tool in tools])
    return rows.build_group([*system, *said], list(map(_rename, tools)), "")


def _split_system(text: str) -> tuple[Json, str]:
    """The list of tools in a prompt, and the prompt around it."""
    start = TOOL_LIST.search(text)
    if not start:
        raise ValueError("system: expected a list of tools in JSON")
    try:
        _, end = json.JSONDecoder().raw_decode(text, start.start())
    except json.JSONDecodeError as error:
        shown = strict_json.shorten(text[start.start() :])
        raise ValueError(f"system: expected JSON, found {shown}: {error.msg}") from error
    except RecursionError:
        end = len(text)  # the strict reader says what is wrong
    listed = strict_json.decode_text(text[start.start() : end], "system")
    return listed, f"{text[: start.start()]}\n{text[end:]}"


def _rename(tool: Tool) -> Tool:
    return msgspec.structs.replace(tool, name=make_name(tool.name))


def _read_turns(said: Sequence[Utterance], names: Sequence[str]) -> Iterator[Turn]:
    calls: tuple[Call, ...] = ()
    for number, utterance in enumerate(said):
        place = f"conversations.{number}.value"
        match utterance.speaker:
            case "user":
                yield User(utterance.value)
            case "assistant":
                yield (turn := _read_reply(utterance.value.strip(), names, place))
                calls = turn.calls
            case "tool":
                yield from _read_results(calls, utterance.value, place)
                calls = ()
            case speaker:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")


def _read_reply(text: str, names: Sequence[str], place: str) -> Assistant:
    """An answer, or calls; what stands before the calls is their thought."""
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
