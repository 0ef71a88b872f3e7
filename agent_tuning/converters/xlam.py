"""xLAM's function calling set: one query and its calls, `tools` and `answers` as JSON texts.

It has no place for thoughts, replies, observations and later turns: they are lost. Parameters are
named Python types, such as `"str, optional"`. A schema that these cannot express stays a JSON
Schema, and both are read.
"""

from typing import ClassVar

import msgspec

from agent_tuning.converters import python_types, row_fields, row_parts, rows
from agent_tuning.files import strict_json
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_function
from agent_tuning.records import Assistant, Group, Json, Turn, User

LOSES = "thoughts, replies, observations, and all that follows the first decision"


class Row(msgspec.Struct, omit_defaults=True):
    query: str
    tools: str | list[dict[str, Json] | str]
    answers: str | list[dict[str, Json]]
    id: int | str | None = None
    facets: str = ""
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def write(group: Group) -> Row:
    trajectory = rows.only_trajectory(group)
    first = rows.split_steps(trajectory)[0]
    calls = list(map(row_parts.write_call, first.decision.calls))
    tools = format_json([build_function(python_types.write_tool(tool)) for tool in group.tools])
    return Row(
        first.user_text or "", tools, format_json(calls), trajectory.id, rows.write_facets(group)
    )


def read(row: Row) -> Group:
    ours = bool(row.facets)
    listed = row.answers
    if isinstance(listed, str):
        listed = strict_json.decode_text(listed, "answers")
    if not isinstance(listed, list):
        raise ValueError("answers: expected a list of calls")
    calls = [row_parts.read_call(value, f"answers.{n}") for n, value in enumerate(listed)]
    decision = Assistant("call", calls=tuple(calls)) if calls else Assistant("no_call")
    turns: list[Turn] = [User(row.query), decision]
    tools = row_parts.read_tools(row.tools, ours, python_types.read_parameters)
    return rows.build_group(turns, tools, row.facets)


def kept(group: Group) -> Group:
    """The part of a group of one that comes back."""
    trajectory = rows.only_trajectory(group)
    first = rows.split_steps(trajectory)[0]
    decision = msgspec.structs.replace(first.decision, thought="", text="")
    turns = (User(first.user_text or ""), decision)
    kept_trajectory = msgspec.structs.replace(trajectory, turns=turns)
    return msgspec.structs.replace(group, trajectories=(kept_trajectory,))
