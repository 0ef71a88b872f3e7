"""Tool lists in data formats: each text parses back to the same data."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from xml.sax.saxutils import escape, quoteattr

import yaml

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.parameters import Parameter, list_parameters
from agent_tuning.records import Json, Tool

# Characters that XML cannot hold in any spelling.
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def build_function(tool: Tool) -> dict[str, Json]:
    """The function object of OpenAI's protocol."""
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def build_openai_tool(tool: Tool) -> dict[str, Json]:
    """An entry of `tools` in OpenAI's protocol: the function object in its wrapper."""
    return {"type": "function", "function": build_function(tool)}


def openai(tools: Sequence[Tool]) -> str:
    """The function objects, a line each."""
    return "\n".join(format_json(build_function(tool)) for tool in tools)


def hermes(tools: Sequence[Tool]) -> str:
    """The function objects in the wrapper of OpenAI's `tools`, between tags."""
    lines = (format_json(build_openai_tool(tool)) for tool in tools)
    return "\n".join(["<tools>", *lines, "</tools>"])


def mcp(tools: Sequence[Tool]) -> str:
    """The result of the Model Context Protocol's `tools/list`, a tool per line."""
    lines = (
        format_json(
            {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
        )
        for tool in tools
    )
    return '{"tools": [\n' + ",\n".join(lines) + "\n]}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _: Json) -> bool:
        """Two equal schemas are written twice: no `&id001` for a model to follow."""
        return True


def yaml_list(tools: Sequence[Tool]) -> str:
    return yaml.dump(
        [build_function(tool) for tool in tools],
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=2**31,  # never folds a description
    ).rstrip("\n")


def xml(tools: Sequence[Tool]) -> str:
    """An element per parameter around its description; choices are JSON in an attribute."""
    return "\n".join(["<tools>", *chain.from_iterable(map(_write_tool, tools)), "</tools>"])


def _write_tool(tool: Tool) -> Iterator[str]:
    yield f"<tool name={_quote_attribute(tool.name)}>"
    yield f"<description>{_escape_text(tool.description)}</description>"
    yield from (_write_parameter(parameter, "parameter") for parameter in list_parameters(tool))
    yield "</tool>"


def _write_parameter(parameter: Parameter, tag: str) -> str:
    name = f" name={_quote_attribute(parameter.name)}" if parameter.name else ""
    choices = (
        f" enum={_quote_attribute(format_json(parameter.choices))}" if parameter.choices else ""
    )
    optional = "" if parameter.required else ' required="false"'
    fields = "".join(_write_parameter(field, "parameter") for field in parameter.fields)
    items = _write_parameter(parameter.items, "items") if parameter.items else ""
    content = f"{_escape_text(parameter.description)}{fields}{items}"
    opening = f"{tag}{name} type={_quote_attribute(parameter.type)}{choices}{optional}"
    return f"<{opening}>{content}</{tag}>" if content else f"<{opening}/>"


def _escape_text(text: str) -> str:
    return escape(NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})  # a bare \r would be read as \n


def _quote_attribute(text: str) -> str:
    return quoteattr(NOT_XML.sub("\ufffd", text))
