"""Other people's tools as a catalogue file.

    python -m agent_tuning.converters.tools SOURCE TARGET

SOURCE is OpenAI function JSON, an OpenAPI 3 document (YAML or JSON) or the answer to an MCP
`tools/list`; its content decides which. TARGET is a new YAML file, named like the domain.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entry_records import TOOL_NAME
from agent_tuning.converters import documents, openapi, schemas
from agent_tuning.converters.documents import convert_part
from agent_tuning.converters.imported_tool import ImportedTool
from agent_tuning.converters.schemas import SchemaResolver
from agent_tuning.quality import word_overlap
from agent_tuning.records import BadInput, Json, Tool
from agent_tuning.runtime import cli

MAX_SIBLINGS = 3  # of one tool
HEADER = """\
# Tools from {source}. They can appear in tool lists as they are; to be called, a tool needs
# `scenarios`, `remarks`, and `observations` like its real results: see docs/own-tools.md.
"""


class OpenAIFunction(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Json] | None = None


class McpToolList(msgspec.Struct):
    """The result of MCP's `tools/list`."""

    tools: list[Json]
    cursor: str | None = msgspec.field(name="nextCursor", default=None)


class McpTool(msgspec.Struct):
    """A tool of MCP."""

    name: str
    arguments: dict[str, Json] = msgspec.field(name="inputSchema")
    title: str | None = None
    description: str | None = None
    result: dict[str, Json] | None = msgspec.field(name="outputSchema", default=None)


def read_openai_tools(document: Json, path: Path) -> Iterator[ImportedTool]:
    """One function or a list; each bare or as `{"type": "function", "function": …}`."""
    key = ""
    if isinstance(document, dict):
        key = next((key for key in ("tools", "functions") if key in document), "")
    listed = document[key] if key else document
    for number, value in enumerate(listed if isinstance(listed, list) else [listed]):
        place = f"{key or 'tools'}.{number}"
        kind = value.get("type", "function") if isinstance(value, dict) else ""
        if kind != "function":
            raise BadInput(f"{path}: {place}.type: expected function, found {kind!r}")
        function = convert_part(value.get("function", value), OpenAIFunction, path, place)
        parameters_schema = function.parameters or {"type": "object", "properties": {}}
        parameters = SchemaResolver(parameters_schema, path).resolve(
            parameters_schema, "sent", f"{place}.parameters"
        )
        yield ImportedTool(place, function.name, function.description or "", parameters)


def read_mcp_tools(document: Json, path: Path) -> Iterator[ImportedTool]:
    """The result of `tools/list`, with or without its JSON-RPC envelope."""
    listed = convert_part(document.get("result", document), McpToolList, path, "result")
    if listed.cursor:
        raise BadInput(
            f"{path}: nextCursor: this is one page of several; join all pages in one `tools`"
        )
    for number, value in enumerate(listed.tools):
        place = f"tools.{number}"
        tool = convert_part(value, McpTool, path, place)
        resolver = SchemaResolver(tool.arguments, path)
        parameters = resolver.resolve(tool.arguments, "sent", f"{place}.inputSchema")
        observations: tuple[dict[str, Json], ...] = ()
        if tool.result is not None:
            resolver = SchemaResolver(tool.result, path)
            result = resolver.resolve(tool.result, "given", f"{place}.outputSchema")
            observations = (schemas.build_example(result),)
        description = tool.description or tool.title or ""
        yield ImportedTool(place, tool.name, description, parameters, observations)


def read_tools(document: Json, path: Path) -> list[ImportedTool]:
    tools = list(_find_importer(document)(document, path))
    if not tools:
        raise BadInput(f"{path}: no tools found")
    names = [tool.name for tool in tools]
    for number, tool in enumerate(tools):
        if not TOOL_NAME.fullmatch(tool.name):
            raise BadInput(f"{path}: {tool.place}.name: {tool.name!r} is not a tool name")
        if tool.name in names[:number]:
            raise BadInput(f"{path}: {tool.place}.name: two tools are named {tool.name}")
        if problem := schema.find_parameters_problem(tool.parameters):
            raise BadInput(f"{path}: {tool.place}: {problem}")
    return tools


def _find_importer(document: Json) -> Callable[[Json, Path], Iterator[ImportedTool]]:
    if not isinstance(document, dict):
        return read_openai_tools
    if "openapi" in document or "swagger" in document:
        return openapi.read_openapi_tools
    result = document.get("result", document)
    listed = result.get("tools") if isinstance(result, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else {}
    is_mcp = "result" in document or (isinstance(first, dict) and "inputSchema" in first)
    return read_mcp_tools if is_mcp else read_openai_tools


def build_domain(name: str, tools: Sequence[ImportedTool]) -> dict[str, Json]:
    """A catalogue file with all but what only people can write: scenarios and remarks."""
    described = [
        Tool(tool.name, tool.description or word_overlap.split_name(tool.name), {})
        for tool in tools
    ]
    language = (
        "zh" if any(map(word_overlap.has_cjk, (tool.description for tool in tools))) else "en"
    )
    entries = [
        {
            "name": tool.name,
            "description": {language: shown.description},
            "parameters": tool.parameters,
            "siblings": find_siblings(shown, described),
            "observations": list(tool.observations),
            "scenarios": [],
            "remarks": [],
        }
        for tool, shown in zip(tools, described, strict=True)
    ]
    return {"domain": name, "languages": [language], "tools": entries}


def find_siblings(tool: Tool, tools: Sequence[Tool]) -> list[str]:
    """The tools that share most words with this one."""
    measure = word_overlap.WordOverlap(tools)
    others = [other for other in tools if other.name != tool.name]
    likeness = {o.name: measure.overlap(f"{tool.name} {tool.description}", o) for o in others}
    nearest = sorted(likeness, key=lambda name: (-likeness[name], name))[:MAX_SIBLINGS]
    return [name for name in nearest if likeness[name] > 0]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True  # a person edits this file: no anchors


def main(source: Path, target: Path) -> None:
    if target.exists():
        raise BadInput(f"{target}: already exists; choose another file or delete it")
    tools = read_tools(documents.read(source), source)
    text = yaml.dump(
        build_domain(target.stem, tools),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(HEADER.format(source=source.name) + text, encoding="utf-8")
    bare = [tool.name for tool in tools if not tool.observations]
    print(f"{target}: {len(tools)} tools, {len(bare)} of them without observations")


if __name__ == "__main__":
    cli.run(main)
