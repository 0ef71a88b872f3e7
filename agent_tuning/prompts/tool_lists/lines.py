"""Menus in words: a line per tool, or a line per parameter."""

from collections.abc import Iterator, Sequence
from itertools import chain

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.parameters import (
    Parameter,
    format_choice,
    join_lines,
    list_parameters,
)
from agent_tuning.records import Tool


def react(tools: Sequence[Tool]) -> str:
    def described(tool: Tool) -> str:
        said = ", ".join(
            f"{one.name} ({one.describe(format_choice)})" for one in list_parameters(tool)
        )
        return join_lines(f"{tool.name}: {tool.description} Args: {said}")

    return "\n".join(map(described, tools))


def autogpt(tools: Sequence[Tool]) -> str:
    def described(number: int, tool: Tool) -> str:
        said = (
            f'"{one.name}": {format_json(f"<{one.describe(format_choice)}>")}'
            for one in list_parameters(tool)
        )
        return join_lines(f'{number}. {tool.description} "{tool.name}", args: {", ".join(said)}')

    return "\n".join(described(number, tool) for number, tool in enumerate(tools, 1))


def markdown(tools: Sequence[Tool]) -> str:
    """A heading per tool, a table row per parameter."""

    def section(tool: Tool) -> Iterator[str]:
        yield f"## {join_lines(tool.name)}"
        yield join_lines(tool.description)
        if found := list_parameters(tool):
            yield "| parameter | type | required | description |"
            yield "|---|---|---|---|"
            yield from map(_row, found)

    return "\n".join(chain.from_iterable(map(section, tools)))


def _row(one: Parameter) -> str:
    cells = (
        one.name,
        one.describe_type(format_choice),
        "yes" if one.required else "no",
        one.description,
    )
    return "| " + " | ".join(join_lines(cell).replace("|", "\\|") for cell in cells) + " |"


def bullets(tools: Sequence[Tool]) -> str:
    def section(tool: Tool) -> Iterator[str]:
        yield join_lines(f"* {tool.name}: {tool.description}")
        for one in list_parameters(tool):
            yield join_lines(f"  - {one.name}: {one.describe(format_choice)}")

    return "\n".join(chain.from_iterable(map(section, tools)))
