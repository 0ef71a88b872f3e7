"""Problems of calls with their tools' JSON Schemas (draft 2020-12), and of lists of tools."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NoReturn

import jsonschema_rs
import msgspec

from agent_tuning.records import Call, Json, Tool


def build_validator(schema: Json) -> jsonschema_rs.Draft202012Validator:
    """The validator of a schema; it reads no other file and no host.

    Raises ValueError with one line if the schema is none, or refers to another place.
    """
    try:
        return jsonschema_rs.Draft202012Validator(schema, retriever=_refuse_reference)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0]) from error


def _refuse_reference(_: str) -> NoReturn:
    raise ValueError("references to other files and hosts are not followed")


def find_parameters_problem(parameters: dict[str, Json]) -> str | None:
    """Why these cannot be a tool's parameters; None if they can."""
    if problem := find_schema_problem(parameters):
        return f"not a JSON Schema: {problem}"
    return None if parameters.get("type") == "object" else "expected parameters of type object"


def find_schema_problem(schema: Json) -> str | None:
    """Why this is no JSON Schema; None if it is one."""
    try:
        build_validator(schema)
    except ValueError as error:
        return str(error)
    return None


def find_call_problem(call: Call, tools: Sequence[Tool]) -> str | None:
    """Why the call cannot be made with these tools, as `reason: detail`; None if it can."""
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None:
        return f"not_on_menu: {call.name}"
    undeclared = call.arguments.keys() - tool.parameters.get("properties", {}).keys()
    if undeclared:
        return f"undeclared_argument: {call.name}.{min(undeclared)}"
    required = tool.parameters.get("required", ())
    if missing := [name for name in required if name not in call.arguments]:
        return f"missing_argument: {call.name}.{missing[0]}"
    validator = _build_validator(msgspec.json.encode(tool.parameters))
    error = next(validator.iter_errors(call.arguments), None)
    if error is not None:
        place = ".".join(map(str, error.instance_path)) or call.name
        return f"schema: {place}: {error.message}"
    return None


def find_tool_list_problems(tools: Sequence[Tool]) -> Iterator[str]:
    """Why these tools cannot be called, as `reason: detail`."""
    for name, count in Counter(tool.name for tool in tools).items():
        if not name.strip():
            yield "menu_name: a tool without a name"
        if count > 1:
            yield f"menu_name: {name} appears {count} times"
    for tool in tools:
        if problem := _find_schema_problem(msgspec.json.encode(tool.parameters)):
            yield f"menu_schema: {tool.name}: {problem}"


@lru_cache(maxsize=4096)
def _find_schema_problem(text: bytes) -> str | None:
    schema = msgspec.json.decode(text)
    if problem := find_schema_problem(schema):
        return problem
    if schema.get("type") != "object":
        return "expected type object"
    undeclared = set(schema.get("required", ())) - set(schema.get("properties", {}))
    return f"requires {min(undeclared)}, which it does not declare" if undeclared else None


@lru_cache(maxsize=4096)
def _build_validator(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return build_validator(msgspec.json.decode(schema))
