"""Tool formats: how a prompt lists its tools. Each takes a menu and returns its text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trajectory.formats.reading import json_text
from trajectory.records import Json, Tool

PYTHON = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
}
TYPESCRIPT = {"integer": "number", "array": "any[]"}


class Parameter(NamedTuple):
    name: str
    type: str
    choices: list[Json]
    description: str
    required: bool


def parameters(tool: Tool) -> Iterator[Parameter]:
    """The top level of a tool's schema, as the compact formats show it."""
    required = tool.parameters.get("required", [])
    for name, schema in tool.parameters.get("properties", {}).items():
        kind = schema.get("type", "any")
        yield Parameter(
            name,
            kind if isinstance(kind, str) else "any",
            schema.get("enum", []),
            schema.get("description", ""),
            name in required,
        )


def openai(tools: Sequence[Tool]) -> str:
    return "\n".join(
        json_text(
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        )
        for tool in tools
    )


def react(tools: Sequence[Tool]) -> str:
    def described(parameter: Parameter) -> str:
        kind = "|".join(map(str, parameter.choices)) or parameter.type
        notes = [kind, *filter(None, [parameter.description])]
        return f"{parameter.name} ({', '.join(notes + ['optional'] * (not parameter.required))})"

    return "\n".join(
        f"{tool.name}: {tool.description} Args: {', '.join(map(described, parameters(tool)))}"
        for tool in tools
    )


def autogpt(tools: Sequence[Tool]) -> str:
    def described(parameter: Parameter) -> str:
        kind = "|".join(map(str, parameter.choices)) or parameter.type
        notes = [kind, *filter(None, [parameter.description])]
        return (
            f'"{parameter.name}": "<{", ".join(notes + ["optional"] * (not parameter.required))}>"'
        )

    return "\n".join(
        f'{number}. {tool.description} "{tool.name}", args: '
        + ", ".join(map(described, parameters(tool)))
        for number, tool in enumerate(tools, 1)
    )


def python(tools: Sequence[Tool]) -> str:
    def described(parameter: Parameter) -> str:
        kind = PYTHON.get(parameter.type, "Any")
        if parameter.choices:
            kind = f"Literal[{', '.join(map(repr, parameter.choices))}]"
        return f"{parameter.name}: {kind}" + ("" if parameter.required else " = None")

    return "\n".join(
        f"def {tool.name}({', '.join(map(described, parameters(tool)))}):  # {_notes(tool)}"
        for tool in tools
    )


def typescript(tools: Sequence[Tool]) -> str:
    def described(parameter: Parameter) -> str:
        kind = " | ".join(map(json_text, parameter.choices))
        mark = "" if parameter.required else "?"
        return f"{parameter.name}{mark}: {kind or TYPESCRIPT.get(parameter.type, parameter.type)}"

    return "\n".join(
        f"// {_notes(tool)}\n"
        f"function {tool.name}(args: {{ {', '.join(map(described, parameters(tool)))} }})"
        for tool in tools
    )


def _notes(tool: Tool) -> str:
    """The description, then what the parameters' own descriptions add; one line."""
    said = [f"{p.name}: {p.description}" for p in parameters(tool) if p.description]
    return " ".join([tool.description, *said])
