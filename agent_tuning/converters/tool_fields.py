"""A tool's fields in the notations of OpenAI, Anthropic and MCP, bare or wrapped."""

from typing import NamedTuple

import msgspec

from agent_tuning.converters.row_fields import refuse_field, says_nothing
from agent_tuning.records import Json

# Where the three notations have the JSON Schema of the arguments.
PARAMETERS = ("parameters", "input_schema", "inputSchema")
IGNORED = frozenset(
    {
        *("strict", "annotations", "_meta", "icons", "execution", "cache_control", "id"),
        *("defer_loading", "input_examples", "allowed_callers", "eager_input_streaming"),
    }
)
NO_PARAMETERS = {"type": "object", "properties": {}}


class ToolFields(NamedTuple):
    """What a notation says; `parameters` is as it stands there."""

    name: str
    description: str
    parameters: Json
    parameters_field: str  # which of PARAMETERS it was
    result: Json  # the schema of what the tool gives back; None if it does not say


class _Fields(msgspec.Struct):
    name: str
    description: str | None = None
    title: str | None = None
    parameters: Json = None
    input_schema: Json = None
    input_schema_of_mcp: Json = msgspec.field(name="inputSchema", default=None)
    result: dict[str, Json] | None = msgspec.field(name="outputSchema", default=None)
    type: str = "function"
    required: list[str] | None = None  # some sets write it beside the parameters


KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(_Fields))


def read_fields(value: Json, place: str) -> ToolFields:
    """The fields of one tool. Raises ValueError with place and problem."""
    kind = value.get("type", "function") if isinstance(value, dict) else "function"
    if kind not in ("function", "custom"):
        raise ValueError(f"{place}.type: expected function, found {kind!r}")
    inner = value
    if isinstance(value, dict) and "function" in value:
        _refuse_unknown({key: v for key, v in value.items() if key != "function"}, place, {"type"})
        inner = value["function"]
    if isinstance(inner, dict):
        _refuse_unknown(inner, place, KNOWN)
    try:
        fields = msgspec.convert(inner, _Fields)
    except msgspec.ValidationError as error:
        raise ValueError(f"{place}: {error}") from error
    named = [name for name in PARAMETERS if isinstance(inner, dict) and inner.get(name) is not None]
    if len(named) > 1:
        raise ValueError(f"{place}: expected one of {' and '.join(named)}, found both")
    field = named[0] if named else PARAMETERS[0]
    parameters = inner[field] if named else NO_PARAMETERS
    if fields.required:
        parameters = _add_required(parameters, fields.required, f"{place}.required")
    return ToolFields(
        fields.name, fields.description or fields.title or "", parameters, field, fields.result
    )


def _add_required(parameters: Json, required: list[str], place: str) -> Json:
    """A schema with the required names beside it. Raises ValueError if it has others itself."""
    if not isinstance(parameters, dict) or "properties" not in parameters:
        raise ValueError(f"{place}: expected it in the parameters, which are no JSON Schema")
    if parameters.get("required", required) not in (required, None):
        raise ValueError(f"{place}: other names than those that the parameters require")
    return {**parameters, "required": required}


def _refuse_unknown(value: dict[str, Json], place: str, known: frozenset[str] | set[str]) -> None:
    for key, part in value.items():
        if key not in known and key not in IGNORED and not says_nothing(part):
            raise refuse_field(place, key, known)
