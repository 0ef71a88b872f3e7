"""LLaMA-Factory's `sharegpt` with tools: human, function_call, observation and gpt take turns.

Several calls of one turn, and their observations, are one JSON list each.
"""

from collections.abc import Iterator

import msgspec

from agent_tuning.converters import rows
from agent_tuning.prompts.formats.reading import json_text
from agent_tuning.records import Assistant, Call, Group, Json, Turn, User


class Said(msgspec.Struct, omit_defaults=True):
    speaker: str = msgspec.field(name="from")
    value: str


class Row(msgspec.Struct, omit_defaults=True):
    conversations: list[Said]
    tools: str | list[dict[str, Json]] | None = None
    system: str | None = None
    facets: str = ""


def write(group: Group) -> Row:
    said: list[Said] = []
    for step in rows.steps(rows.only(group)):
        if step.said is not None:
            said.append(Said("human", step.said))
        if step.decision.calls:
            made = list(map(rows.written, step.decision.calls))
            text = json_text(made if len(made) > 1 else made[0])
            said.append(Said("function_call", rows.spoken(step.decision) + text))
        else:
            said.append(Said("gpt", rows.spoken(step.decision)))
        if step.results:
            contents = [result.content for result in step.results]
            text = json_text(contents) if len(contents) > 1 else rows.observed(contents[0])
            said.append(Said("observation", text))
    tools = json_text(list(map(rows.bare, group.tools))) if group.tools else ""
    return Row(said, tools, facets=rows.facets(group))


def read(row: Row) -> Group:
    turns = list(_turns(row))
    return rows.group(turns, rows.tools_of(row.tools), row.facets, row.system or "")


def _turns(row: Row) -> Iterator[Turn]:
    calls: list[Call] = []
    for number, said in enumerate(row.conversations):
        match said.speaker:
            case "human":
                yield User(said.value)
            case "gpt":
                yield rows.answer(said.value)
            case "function_call":
                thought, text = rows.heard(said.value)
                value = msgspec.json.decode(text)
                calls = list(map(rows.call_of, value if isinstance(value, list) else [value]))
                yield Assistant("call", thought, tuple(calls))
            case "observation":
                value = rows.seen(said.value)
                several = len(calls) > 1 and isinstance(value, list)
                yield from rows.results(calls, value if several else [value])
            case speaker:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")
