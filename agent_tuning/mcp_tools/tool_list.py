"""The answer to MCP's `tools/list` as our tools, and the result of a call as our observation."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.converters.imported_tool import ImportedTool, UnusableTool
from agent_tuning.converters.tools import read_listed_tools
from agent_tuning.records import BadInput, Json, Tool


def read_tool_list(document: Json, source: str) -> tuple[Tool, ...]:
    """The tools of a `tools/list`, with or without its JSON-RPC envelope, in their order.

    `source` names it in errors. Raises BadInput if it is no such answer, has no tools, or one of
    them could not be called.
    """
    listed = list(read_listed_tools(document, Path(source)))
    for outcome in listed:
        if isinstance(outcome, UnusableTool):
            raise BadInput(f"{source}: {outcome.problem}")
    tools = tuple(
        Tool(tool.name, tool.description, tool.parameters)
        for tool in listed
        if isinstance(tool, ImportedTool)
    )
    if not tools:
        raise BadInput(f"{source}: tools/list: no tools")
    if problem := next(schema.find_tool_list_problems(tools), None):
        raise BadInput(f"{source}: tools/list: {problem}")
    return tools


def read_observation(structured: Json, texts: Sequence[str], failed: bool) -> dict[str, Json]:
    """What a call gave back: its structured content, or else its texts.

    A text that is a JSON object is that object. A failure is `{"error": …}`, as a simulator's.
    """
    text = "\n".join(texts)
    content = structured if isinstance(structured, dict) else _read_object(text)
    if failed and (content is None or "error" not in content):
        return {"error": text or "the tool failed"}
    return {"result": text if structured is None else structured} if content is None else content


def _read_object(text: str) -> dict[str, Json] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Json])
    except msgspec.DecodeError:
        return None
