"""Tool lists in words: a line per tool, or a line per parameter."""

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
    def write_line(tool: Tool) -> str:
        parameters = ", ".join(
            f"{parameter.name} ({parameter.describe(format_choice)})"
            for parameter in list_parameters(tool)
        )
        return join_lines(f"{tool.name}: {tool.description} Args: {parameters}")

    return "\n".join(map(write_line, tools))


def autogpt(tools: Sequence[Tool]) -> str:
    def write_line(number: int, tool: Tool) -> str:
        parameters = (
            f'"{parameter.name}": {format_json(f"<{parameter.describe(format_choice)}>")}'
            for parameter in list_parameters(tool)
        )
        return join_lines(
            f'{number}. {tool.description} "{tool.name}", args: {", ".join(parameters)}'
        )

    return "\n".join(write_line(number, tool) for number, tool in enumerate(tools, 1))


def markdown(tools: Sequence[Tool]) -> str:
    """A heading per tool, a table row per parameter."""

    def write_section(tool: Tool) -> Iterator[str]:
        yield f"## {join_lines(tool.name)}"
        yield join_lines(tool.description)
        if parameters := list_parameters(tool):
            yield "| parameter | type | required | description |"
            yield "|---|---|---|---|"
            yield from map(_write_row, parameters)

    return "\n".join(chain.from_iterable(map(write_section, tools)))


def _write_row(parameter: Parameter) -> str:
    cells = (
        parameter.name,
        parameter.describe_type(format_choice),
        "yes" if parameter.required else "no",
        parameter.description,
    )
    return "| " + " | ".join(join_lines(cell).replace("|", "\\|") for cell in cells) + " |"


def bullets(tools: Sequence[Tool]) -> str:
    def write_section(tool: Tool) -> Iterator[str]:
        yield join_lines(f"* {tool.name}: {tool.description}")
        for parameter in list_parameters(tool):
            yield join_lines(f"  - {parameter.name}: {parameter.describe(format_choice)}")

    return "\n".join(chain.from_iterable(map(write_section, tools)))
