"""Menus as declarations of functions, in the manner of programming languages."""

from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.parameters import (
    Parameter,
    describe_tool,
    join_lines,
    list_parameters,
)
from agent_tuning.records import Tool

PYTHON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
    "null": "None",
}
TYPESCRIPT_TYPES = {"integer": "number", "array": "any[]"}


def python(tools: Sequence[Tool]) -> str:
    def described(one: Parameter) -> str:
        return f"{one.name}: {_python(one)}" + ("" if one.required else " = None")

    return "\n".join(
        join_lines(f"def {tool.name}({', '.join(map(described, list_parameters(tool)))}):")
        + f"  # {describe_tool(tool)}"
        for tool in tools
    )


def typescript(tools: Sequence[Tool]) -> str:
    return "\n".join(
        f"// {describe_tool(tool)}\n"
        + join_lines(f"function {tool.name}(args: {_typescript_object(list_parameters(tool))})")
        for tool in tools
    )


def compact(tools: Sequence[Tool]) -> str:
    """The fewest tokens: `book(nights: integer, view?: sea|hill) - Book a room.`"""

    def described(one: Parameter) -> str:
        return f"{one.name}{'' if one.required else '?'}: {one.describe_type(format_json)}"

    return "\n".join(
        join_lines(f"{tool.name}({', '.join(map(described, list_parameters(tool)))})")
        + f" - {describe_tool(tool)}"
        for tool in tools
    )


def _python(one: Parameter) -> str:
    if one.choices:
        return f"Literal[{', '.join(map(repr, one.choices))}]"
    if one.items:
        return f"list[{_python(one.items)}]"
    if one.fields:
        kinds = ((field, _python(field)) for field in one.fields)
        inner = (
            f'"{field.name}": {kind if field.required else f"NotRequired[{kind}]"}'
            for field, kind in kinds
        )
        return f"{{{', '.join(inner)}}}"
    return " | ".join(PYTHON_TYPES.get(kind, "Any") for kind in one.type.split("|"))


def _typescript(one: Parameter) -> str:
    if one.choices:
        return " | ".join(map(format_json, one.choices))
    if one.items:
        kind = _typescript(one.items)
        return f"({kind})[]" if " | " in kind else f"{kind}[]"
    if one.fields:
        return _typescript_object(one.fields)
    return " | ".join(TYPESCRIPT_TYPES.get(kind, kind) for kind in one.type.split("|"))


def _typescript_object(fields: Sequence[Parameter]) -> str:
    inner = (f"{one.name}{'' if one.required else '?'}: {_typescript(one)}" for one in fields)
    return f"{{ {', '.join(inner)} }}"
