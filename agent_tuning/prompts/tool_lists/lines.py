"""Menus in words: a line per tool, or a line per parameter."""

from collections.abc import Iterator, Sequence
from itertools import chain

from agent_tuning.prompts.formats.reading import json_text
from agent_tuning.prompts.tool_lists.parameters import Parameter, one_line, parameters, plain
from agent_tuning.records import Tool


def react(tools: Sequence[Tool]) -> str:
    def described(tool: Tool) -> str:
        said = ", ".join(f"{one.name} ({one.notes(plain)})" for one in parameters(tool))
        return one_line(f"{tool.name}: {tool.description} Args: {said}")

    return "\n".join(map(described, tools))


def autogpt(tools: Sequence[Tool]) -> str:
    def described(number: int, tool: Tool) -> str:
        said = (f'"{one.name}": {json_text(f"<{one.notes(plain)}>")}' for one in parameters(tool))
        return one_line(f'{number}. {tool.description} "{tool.name}", args: {", ".join(said)}')

    return "\n".join(described(number, tool) for number, tool in enumerate(tools, 1))


def markdown(tools: Sequence[Tool]) -> str:
    """A heading per tool, a table row per parameter."""

    def section(tool: Tool) -> Iterator[str]:
        yield f"## {one_line(tool.name)}"
        yield one_line(tool.description)
        if found := parameters(tool):
            yield "| parameter | type | required | description |"
            yield "|---|---|---|---|"
            yield from map(_row, found)

    return "\n".join(chain.from_iterable(map(section, tools)))


def _row(one: Parameter) -> str:
    cells = (one.name, one.spelt(plain), "yes" if one.required else "no", one.description)
    return "| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in cells) + " |"


def bullets(tools: Sequence[Tool]) -> str:
    def section(tool: Tool) -> Iterator[str]:
        yield one_line(f"* {tool.name}: {tool.description}")
        for one in parameters(tool):
            yield one_line(f"  - {one.name}: {one.notes(plain)}")

    return "\n".join(chain.from_iterable(map(section, tools)))
