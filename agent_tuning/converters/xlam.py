"""xLAM's function calling set: one query and its calls, `tools` and `answers` as JSON texts.

It has no place for thoughts, replies, observations and later turns: they are lost. Parameters are
named Python types, such as `"str, optional"`. A schema that these cannot express stays a JSON
Schema, and both are read.
"""

import re

import msgspec

from agent_tuning.converters import rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Assistant, Group, Json, Tool, Turn, User

LOSES = "thoughts, replies, observations, and all that follows the first decision"
PYTHON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
}
JSON_TYPES = {python: name for name, python in PYTHON_TYPES.items()}
ITEMS = re.compile(r"(?:List|list)\[(\w+)\]")


class Row(msgspec.Struct, omit_defaults=True):
    query: str
    tools: str | list[dict[str, Json]]
    answers: str | list[dict[str, Json]]
    id: int | str | None = None
    facets: str = ""


def write(group: Group) -> Row:
    trajectory = rows.only_trajectory(group)
    first = rows.split_steps(trajectory)[0]
    calls = list(map(rows.write_call, first.decision.calls))
    tools = format_json(list(map(write_tool, group.tools)))
    return Row(
        first.user_text or "", tools, format_json(calls), trajectory.id, rows.write_facets(group)
    )


def read(row: Row) -> Group:
    listed = msgspec.json.decode(row.answers) if isinstance(row.answers, str) else row.answers
    calls = tuple(map(rows.read_call, listed))
    decision = Assistant("call", calls=calls) if calls else Assistant("no_call")
    turns: list[Turn] = [User(row.query), decision]
    return rows.build_group(turns, tuple(map(read_tool, rows.read_tools(row.tools))), row.facets)


def kept(group: Group) -> Group:
    """The part of a group of one that comes back."""
    trajectory = rows.only_trajectory(group)
    first = rows.split_steps(trajectory)[0]
    decision = msgspec.structs.replace(first.decision, thought="", text="")
    turns = (User(first.user_text or ""), decision)
    kept_trajectory = msgspec.structs.replace(trajectory, turns=turns)
    return msgspec.structs.replace(group, trajectories=(kept_trajectory,))


def write_tool(tool: Tool) -> dict[str, Json]:
    """A tool whose parameters are named types, if these express the whole schema."""
    required = tool.parameters.get("required", [])
    properties = tool.parameters.get("properties", {})
    named = {
        name: _write_named_type(schema, name in required) for name, schema in properties.items()
    }
    named_tool = Tool(tool.name, tool.description, named)
    return rows.write_tool(named_tool if read_tool(named_tool) == tool else tool)


def _write_named_type(schema: Json, required: bool) -> Json:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(kind, str) or kind not in PYTHON_TYPES:
        return schema
    return schema | {"type": PYTHON_TYPES[kind] + ("" if required else ", optional")}


def read_tool(tool: Tool) -> Tool:
    """A tool whose parameters may be named types, with a JSON Schema."""
    if tool.parameters.get("type") == "object":
        return tool
    named = msgspec.convert(tool.parameters, dict[str, dict[str, Json]])
    properties = {name: _read_named_type(value) for name, value in named.items()}
    required = [n for n, v in named.items() if "optional" not in str(v.get("type", "")).lower()]
    schema = {"type": "object", "properties": properties, "required": required}
    return msgspec.structs.replace(tool, parameters=schema)


def _read_named_type(value: dict[str, Json]) -> dict[str, Json]:
    """`{"type": "List[int], optional"}` as JSON Schema; an unknown type allows everything."""
    python = str(value.get("type", "")).split(",")[0].strip()
    rest = {key: part for key, part in value.items() if key != "type"}
    if items := ITEMS.fullmatch(python):
        inner = JSON_TYPES.get(items.group(1))
        return {"type": "array", **({"items": {"type": inner}} if inner else {}), **rest}
    known = JSON_TYPES.get(python, python if python in PYTHON_TYPES else None)
    return {"type": known, **rest} if known else rest
