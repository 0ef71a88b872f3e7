"""LLaMA-Factory's `sharegpt` with tools: human, function_call, observation and gpt take turns.

Several calls of one turn, and their observations, are one JSON list each.
"""

from collections.abc import Iterator

import msgspec

from agent_tuning.converters import rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Assistant, Call, Group, Json, Turn, User


class Utterance(msgspec.Struct, omit_defaults=True):
    speaker: str = msgspec.field(name="from")
    value: str


class Row(msgspec.Struct, omit_defaults=True):
    conversations: list[Utterance]
    tools: str | list[dict[str, Json]] | None = None
    system: str | None = None
    facets: str = ""


def write(group: Group) -> Row:
    said: list[Utterance] = []
    for step in rows.split_steps(rows.only_trajectory(group)):
        if step.said is not None:
            said.append(Utterance("human", step.said))
        if step.decision.calls:
            made = list(map(rows.write_call, step.decision.calls))
            text = format_json(made if len(made) > 1 else made[0])
            said.append(Utterance("function_call", rows.join_thought(step.decision) + text))
        else:
            said.append(Utterance("gpt", rows.join_thought(step.decision)))
        if step.results:
            contents = [result.content for result in step.results]
            text = (
                format_json(contents) if len(contents) > 1 else rows.write_observation(contents[0])
            )
            said.append(Utterance("observation", text))
    tools = format_json(list(map(rows.write_tool, group.tools))) if group.tools else ""
    return Row(said, tools, facets=rows.write_facets(group))


def read(row: Row) -> Group:
    turns = list(_turns(row))
    return rows.build_group(turns, rows.read_tools(row.tools), row.facets, row.system or "")


def _turns(row: Row) -> Iterator[Turn]:
    calls: list[Call] = []
    for number, said in enumerate(row.conversations):
        match said.speaker:
            case "human":
                yield User(said.value)
            case "gpt":
                yield rows.build_answer(said.value)
            case "function_call":
                thought, text = rows.split_thought(said.value)
                value = msgspec.json.decode(text)
                calls = list(map(rows.read_call, value if isinstance(value, list) else [value]))
                yield Assistant("call", thought, tuple(calls))
            case "observation":
                value = rows.read_observation(said.value)
                several = len(calls) > 1 and isinstance(value, list)
                yield from rows.build_results(calls, value if several else [value])
            case speaker:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")
