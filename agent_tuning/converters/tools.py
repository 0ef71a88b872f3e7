"""Other people's tools as a catalogue file.

    python -m agent_tuning.converters.tools SOURCE TARGET

SOURCE is OpenAI function JSON, Anthropic's tools, an OpenAPI 3 document (YAML or JSON) or the
answer to an MCP `tools/list`; its content decides which. TARGET is a new YAML file, named like the
domain. A tool that cannot be used is left out and named. If none can be used, nothing is written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agent_tuning.catalogue.entry_records import TOOL_NAME
from agent_tuning.catalogue.schema_references import References, SchemaProblem
from agent_tuning.converters import documents, examples, openapi, schemas, targets, tool_fields
from agent_tuning.converters.documents import convert_part
from agent_tuning.converters.imported_tool import ImportedTool, Outcome, UnusableTool
from agent_tuning.converters.siblings import find_siblings
from agent_tuning.converters.tool_names import make_name
from agent_tuning.files import atomic_write
from agent_tuning.quality import word_overlap
from agent_tuning.records import BadInput, Json, Tool
from agent_tuning.runtime import cli
from agent_tuning.runtime.visible_text import show_controls

HEADER = """\
# Tools from {source}. They can appear in tool lists as they are; to be called, a tool needs
# `scenarios`, `remarks`, and `observations` like its real results: see docs/own-tools.md.
"""


class McpToolList(msgspec.Struct):
    """The result of MCP's `tools/list`."""

    tools: list[Json]
    cursor: str | None = msgspec.field(name="nextCursor", default=None)


def read_listed_tools(document: Json, path: Path) -> Iterator[Outcome]:
    """One tool or a list, in any notation of `tool_fields`, with or without an envelope."""
    key = "tools"
    if isinstance(document, dict):
        envelope = document.get("result", document)
        if "result" in document or "nextCursor" in document:
            listed = convert_part(envelope, McpToolList, path, "result")
            if listed.cursor:
                problem = "this is one page of several; join all pages in one `tools`"
                raise BadInput(f"{path}: nextCursor: {problem}")
            document = listed.tools
        else:
            key = next((key for key in ("tools", "functions") if key in document), key)
            document = document.get(key, document)
    for number, value in enumerate(document if isinstance(document, list) else [document]):
        yield _read_listed(value, f"{key}.{number}")


def _read_listed(value: Json, place: str) -> Outcome:
    try:
        fields = tool_fields.read_fields(value, place)
    except ValueError as error:
        return UnusableTool(place, _guess_name(value), str(error))
    try:
        references = References(fields.parameters)
        at = f"{place}.{fields.parameters_field}"
        schema = schemas.resolve(fields.parameters, references, "sent", at)
        parameters = schemas.complete_parameters(schema)
        _check_parameters(parameters, at)
    except SchemaProblem as error:
        return UnusableTool(place, fields.name, str(error))
    observations = tuple(_build_observations(fields.result, f"{place}.outputSchema"))
    return ImportedTool(place, fields.name, fields.description, parameters, observations)


def _build_observations(schema: Json, place: str) -> Iterator[dict[str, Json]]:
    """The observation that an output schema describes, if it says enough for one."""
    try:
        given = schemas.resolve(schema or {}, References(schema), "given", place)
    except SchemaProblem:
        return  # a tool can be used without
    value = examples.build_example(given)
    if isinstance(value, dict):
        yield value


def _check_parameters(parameters: dict[str, Json], place: str) -> None:
    """Raise SchemaProblem unless these can be a tool's parameters."""
    if parameters.get("type") != "object":
        raise SchemaProblem(f"{place}: expected parameters of type object")
    if "" in parameters.get("properties", {}):
        raise SchemaProblem(f"{place}.properties: a parameter without a name")


def _guess_name(value: Json) -> str:
    inner = value.get("function", value) if isinstance(value, dict) else {}
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def read_tools(document: Json, path: Path) -> tuple[list[ImportedTool], list[UnusableTool]]:
    """The tools that can be used, with names that can be used, and the others.

    Raises BadInput if there is none to use, or if two have the same name.
    """
    is_openapi = isinstance(document, dict) and ("openapi" in document or "swagger" in document)
    read = openapi.read_openapi_tools if is_openapi else read_listed_tools
    usable: list[ImportedTool] = []
    unusable: list[UnusableTool] = []
    places: dict[str, str] = {}
    for outcome in read(document, path):
        if isinstance(outcome, UnusableTool):
            unusable.append(outcome)
            continue
        tool = _rename(outcome)
        if not TOOL_NAME.fullmatch(tool.name):
            problem = f"{tool.place}.name: {outcome.name!r} is not a tool name: expected a letter"
            unusable.append(UnusableTool(tool.place, outcome.name, problem))
            continue
        if tool.name in places:
            raise BadInput(f"{path}: {tool.place}.name: two tools are named {tool.name}")
        places[tool.name] = tool.place
        usable.append(tool)
    if not usable:
        raise BadInput(f"{path}: {unusable[0].problem if unusable else 'no tools found'}")
    return usable, unusable


def _rename(tool: ImportedTool) -> ImportedTool:
    name = make_name(tool.name)
    return tool if name == tool.name else msgspec.structs.replace(tool, name=name, own=tool.name)


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
            "siblings": siblings,
            "observations": list(tool.observations),
            "scenarios": [],
            "remarks": [],
        }
        for tool, shown, siblings in zip(tools, described, find_siblings(described), strict=True)
    ]
    return {"domain": name, "languages": [language], "tools": entries}


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True  # a person edits this file: no anchors


def main(source: Path, target: Path) -> None:
    targets.check(target)
    tools, unusable = read_tools(documents.read(source), source)
    text = yaml.dump(
        build_domain(target.stem, tools),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    atomic_write.write_text(target, HEADER.format(source=source.name) + text)
    for renamed in (tool for tool in tools if tool.own):
        print(show_controls(f"{source}: renamed {renamed.own} to {renamed.name}"))
    for tool in unusable:
        print(show_controls(f"{source}: left out {tool.name or tool.place}: {tool.problem}"))
    bare = [tool.name for tool in tools if not tool.observations]
    print(f"{target}: {len(tools)} tools, {len(bare)} of them without observations")


if __name__ == "__main__":
    cli.run(main)
