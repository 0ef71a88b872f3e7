"""LLaMA-Factory's `sharegpt` with tools: human, function_call, observation and gpt take turns.

Several calls of one turn are one JSON list, and so are their observations.
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
    conversation: list[Utterance] = []
    for step in rows.split_steps(rows.only_trajectory(group)):
        if step.user_text is not None:
            conversation.append(Utterance("human", step.user_text))
        if step.decision.calls:
            calls = list(map(rows.write_call, step.decision.calls))
            text = format_json(calls if len(calls) > 1 else calls[0])
            conversation.append(Utterance("function_call", rows.join_thought(step.decision) + text))
        else:
            conversation.append(Utterance("gpt", rows.join_thought(step.decision)))
        if step.results:
            contents = [result.content for result in step.results]
            several = len(contents) > 1
            text = format_json(contents) if several else rows.write_observation(contents[0])
            conversation.append(Utterance("observation", text))
    tools = format_json(list(map(rows.write_tool, group.tools))) if group.tools else ""
    return Row(conversation, tools, facets=rows.write_facets(group))


def read(row: Row) -> Group:
    turns = list(_read_turns(row))
    return rows.build_group(turns, rows.read_tools(row.tools), row.facets, row.system or "")


def _read_turns(row: Row) -> Iterator[Turn]:
    calls: list[Call] = []
    for number, utterance in enumerate(row.conversations):
        match utterance.speaker:
            case "human":
                yield User(utterance.value)
            case "gpt":
                yield rows.build_answer(utterance.value)
            case "function_call":
                thought, text = rows.split_thought(utterance.value)
                value = msgspec.json.decode(text)
                calls = list(map(rows.read_call, value if isinstance(value, list) else [value]))
                yield Assistant("call", thought, tuple(calls))
            case "observation":
                value = rows.read_observation(utterance.value)
                several = len(calls) > 1 and isinstance(value, list)
                yield from rows.build_results(calls, value if several else [value])
            case speaker:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")
