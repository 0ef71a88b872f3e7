"""Calls, results, thoughts and tools inside a row, as most formats write them."""

import json
import re
from collections.abc import Callable, Sequence

import msgspec

from agent_tuning.converters import python_types, row_fields, schemas, tool_fields
from agent_tuning.files import strict_json
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult

OUR_THOUGHT = re.compile(r"<think>([^\n]*)</think>\n")
ANY_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
TOOL_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
CALL_FIELDS = {"name", "arguments"}
Translate = Callable[[Json, str], Json]


def join_thought(turn: Assistant) -> str:
    """The thought between <think> tags on a line of its own, then the text."""
    marked = turn.thought or turn.text.lstrip().startswith("<think>")
    return f"<think>{turn.thought}</think>\n{turn.text}" if marked else turn.text


def split_thought(text: str) -> tuple[str, str]:
    """The thought and the text of a reply by any model."""
    if match := OUR_THOUGHT.match(text):
        return match.group(1).strip(), text[match.end() :]
    if match := ANY_THOUGHT.match(text):
        return collapse_spaces(match.group(1)), text[match.end() :]
    return "", text


def build_answer(text: str, trained: bool = True) -> Assistant:
    thought, answer = split_thought(text)
    return Assistant("no_call", thought, text=answer, trained=trained)


def build_call_turn(text: str, calls: Sequence[Call], trained: bool = True) -> Assistant:
    """A decision to call; the text beside the calls joins its thought."""
    thought, beside = split_thought(text)
    if beside.strip():
        thought = collapse_spaces(f"{thought} {beside}")
    return Assistant("call", thought, tuple(calls), trained=trained)


def collapse_spaces(text: str) -> str:
    return " ".join(text.split())


def write_observation(value: Json) -> str:
    """An observation as text; a string stays as it is unless it would be read as JSON."""
    if isinstance(value, str) and read_observation(value) == value:
        return value
    return format_json(value)


def read_json_at(text: str, start: int, field: str) -> tuple[Json, int]:
    """The JSON that begins at `start` of a text, and where it ends. Raises ValueError."""
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        shown = strict_json.shorten(text[start:])
        raise ValueError(f"{field}: expected JSON, found {shown}: {error.msg}") from error
    except RecursionError:
        end = len(text)  # the strict reader says what is wrong
    return strict_json.decode_text(text[start:end], field), end


def read_observation(text: str) -> Json:
    """The JSON that a text holds, or the text; so is a fraction that JSON would write otherwise.

    Version 3.10 is not 3.1.
    """
    try:
        value = strict_json.decode(text)
    except ValueError:
        return text
    return text if isinstance(value, float) and format_json(value) != text else value


def build_results(
    calls: Sequence[Call], values: Sequence[Json], place: str = ""
) -> list[ToolResult]:
    """The results of calls, in their order. Raises ValueError if there are fewer or more."""
    if len(calls) != len(values):
        problem = f"{len(values)} observations for {len(calls)} calls"
        raise ValueError(f"{place}: {problem}" if place else problem)
    return [ToolResult(call.name, value) for call, value in zip(calls, values, strict=True)]


def pair_results(
    calls: Sequence[Call], items: Sequence[Json], content: str, place: str
) -> list[ToolResult]:
    """The results of calls: by name if each item is `name` and `content`, or else in their order.

    Raises ValueError if there are fewer or more, or of other tools.
    """
    named = [
        msgspec.convert(item, dict[str, Json])
        for item in items
        if isinstance(item, dict) and item.keys() == {"name", content}
    ]
    if not named or len(named) < len(items):
        return build_results(calls, items, place)
    ordered: list[Json] = []
    for call in calls:
        of_name = next((item for item in named if item["name"] == call.name), None)
        if of_name is None:
            raise ValueError(f"{place}: no result of {call.name}")
        named.remove(of_name)
        ordered.append(of_name[content])
    return build_results(calls, [*ordered, *named], place)


def read_call(value: Json, place: str = "") -> Call:
    """`{"name": …, "arguments": …}`, the arguments an object or the JSON of one.

    Raises ValueError with place and problem.
    """
    try:
        fields = msgspec.convert(value, dict[str, Json])
        for key, part in fields.items():
            if key not in CALL_FIELDS and not row_fields.says_nothing(part):
                raise row_fields.refuse_field("", key, CALL_FIELDS)
        arguments = fields.get("arguments", {})
        if isinstance(arguments, str):
            arguments = strict_json.decode_text(arguments, "arguments") if arguments.strip() else {}
        given = {} if arguments in (None, []) else arguments  # some write no arguments as a list
        return msgspec.convert({"name": fields.get("name"), "arguments": given}, Call)
    except ValueError as error:
        raise ValueError(f"{place}: {error}" if place else str(error)) from error


def read_calls(text: str, place: str) -> tuple[str, list[Call]]:
    """The thought and the calls of a text: JSON of one or of several, bare or between tags."""
    thought, rest = split_thought(text)
    if TOOL_CALL.search(rest):
        words = TOOL_CALL.sub(" ", rest)
        values = [strict_json.decode_text(block, place) for block in TOOL_CALL.findall(rest)]
    else:
        words, value = "", strict_json.decode_text(rest, place)
        values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError(f"{place}: expected a call")
    return collapse_spaces(f"{thought} {words}") if words.strip() else thought, [
        read_call(value, place) for value in values
    ]


def write_call(call: Call) -> dict[str, Json]:
    return {"name": call.name, "arguments": call.arguments}


def keep_parameters(parameters: Json, _: str) -> Json:
    return parameters


def read_tools(value: Json, ours: bool, translate: Translate | None = None) -> tuple[Tool, ...]:
    """A list of tools, as JSON or as texts of JSON, in any notation of `tool_fields`.

    `translate` says what a format writes in place of a JSON Schema. Others write Python's types in
    every format. Parameters that are not `ours` are written out for our tool lists. Raises
    ValueError with place and problem.
    """
    if isinstance(value, str):
        value = strict_json.decode_text(value, "tools") if value.strip() else []
    listed = msgspec.convert(value or [], list[dict[str, Json] | str])
    translate = translate or (keep_parameters if ours else python_types.read_parameters)
    return tuple(_read_tool(one, f"tools.{n}", ours, translate) for n, one in enumerate(listed))


def _read_tool(value: dict[str, Json] | str, place: str, ours: bool, translate: Translate) -> Tool:
    if isinstance(value, str):
        value = msgspec.convert(strict_json.decode_text(value, place), dict[str, Json])
    fields = tool_fields.read_fields(value, place)
    at = f"{place}.{fields.parameters_field}"
    parameters = translate(fields.parameters, at)
    if not ours:
        parameters = schemas.read_parameters(parameters, at)
    return msgspec.convert(
        {"name": fields.name, "description": fields.description, "parameters": parameters}, Tool
    )
