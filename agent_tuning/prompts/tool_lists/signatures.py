"""Tool lists as function declarations, like those of programming languages."""

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
    def declare(field: Parameter) -> str:
        return f"{field.name}: {_python_type(field)}" + ("" if field.required else " = None")

    return "\n".join(
        join_lines(f"def {tool.name}({', '.join(map(declare, list_parameters(tool)))}):")
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

    def declare(field: Parameter) -> str:
        return f"{field.name}{'' if field.required else '?'}: {field.describe_type(format_json)}"

    return "\n".join(
        join_lines(f"{tool.name}({', '.join(map(declare, list_parameters(tool)))})")
        + f" - {describe_tool(tool)}"
        for tool in tools
    )


def _python_type(parameter: Parameter) -> str:
    if parameter.choices:
        return f"Literal[{', '.join(map(repr, parameter.choices))}]"
    if parameter.items:
        return f"list[{_python_type(parameter.items)}]"
    if parameter.fields:
        kinds = ((field, _python_type(field)) for field in parameter.fields)
        inner = (
            f'"{field.name}": {kind if field.required else f"NotRequired[{kind}]"}'
            for field, kind in kinds
        )
        return f"{{{', '.join(inner)}}}"
    return " | ".join(PYTHON_TYPES.get(kind, "Any") for kind in parameter.type.split("|"))


def _typescript_type(field: Parameter) -> str:
    if field.choices:
        return " | ".join(map(format_json, field.choices))
    if field.items:
        kind = _typescript_type(field.items)
        return f"({kind})[]" if " | " in kind else f"{kind}[]"
    if field.fields:
        return _typescript_object(field.fields)
    return " | ".join(TYPESCRIPT_TYPES.get(kind, kind) for kind in field.type.split("|"))


def _typescript_object(fields: Sequence[Parameter]) -> str:
    inner = (
        f"{field.name}{'' if field.required else '?'}: {_typescript_type(field)}"
        for field in fields
    )
    return f"{{ {', '.join(inner)} }}"
