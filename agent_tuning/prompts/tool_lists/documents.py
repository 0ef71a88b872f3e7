"""Menus in the languages of machines: what is written parses back to the same data."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from xml.sax.saxutils import escape, quoteattr

import yaml

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.parameters import Parameter, list_parameters
from agent_tuning.records import Json, Tool

# XML has no way at all to say these.
UNSAYABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def openai(tools: Sequence[Tool]) -> str:
    """The function objects, a line each."""
    return "\n".join(format_json(_function(tool)) for tool in tools)


def hermes(tools: Sequence[Tool]) -> str:
    """The same, each in the wrapper of OpenAI's `tools`, between tags."""
    lines = (format_json({"type": "function", "function": _function(tool)}) for tool in tools)
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
        [_function(tool) for tool in tools],
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=2**31,  # never folds a description
    ).rstrip("\n")


def xml(tools: Sequence[Tool]) -> str:
    """An element per parameter around its description; choices are JSON in an attribute."""
    return "\n".join(["<tools>", *chain.from_iterable(map(_element, tools)), "</tools>"])


def _element(tool: Tool) -> Iterator[str]:
    yield f"<tool name={_attribute(tool.name)}>"
    yield f"<description>{_text(tool.description)}</description>"
    yield from (_parameter(one, "parameter") for one in list_parameters(tool))
    yield "</tool>"


def _parameter(one: Parameter, tag: str) -> str:
    name = f" name={_attribute(one.name)}" if one.name else ""
    choices = f" enum={_attribute(format_json(one.choices))}" if one.choices else ""
    optional = "" if one.required else ' required="false"'
    fields = "".join(_parameter(field, "parameter") for field in one.fields)
    items = _parameter(one.items, "items") if one.items else ""
    content = f"{_text(one.description)}{fields}{items}"
    opening = f"{tag}{name} type={_attribute(one.type)}{choices}{optional}"
    return f"<{opening}>{content}</{tag}>" if content else f"<{opening}/>"


def _text(text: str) -> str:
    return escape(UNSAYABLE.sub("\ufffd", text), {"\r": "&#13;"})  # a bare one would read as \n


def _attribute(text: str) -> str:
    return quoteattr(UNSAYABLE.sub("\ufffd", text))


def _function(tool: Tool) -> dict[str, Json]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
