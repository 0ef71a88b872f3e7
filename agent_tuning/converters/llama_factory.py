"""LLaMA-Factory's `sharegpt` with tools: human, function_call, observation and gpt take turns.

Several calls of one turn are one JSON list, or one function_call after the other; so are their
observations, in the order of the calls.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar

import msgspec

from agent_tuning.converters import row_fields, row_parts, rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_function
from agent_tuning.records import Assistant, Call, Group, Json, Turn, User


class Utterance(msgspec.Struct, omit_defaults=True):
    speaker: str = msgspec.field(name="from")
    value: str


class Row(msgspec.Struct, omit_defaults=True):
    conversations: list[Utterance]
    tools: str | list[dict[str, Json] | str] | None = None
    system: str | None = None
    facets: str = ""
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def write(group: Group) -> Row:
    conversation: list[Utterance] = []
    for step in rows.split_steps(rows.only_trajectory(group)):
        if step.user_text is not None:
            conversation.append(Utterance("human", step.user_text))
        beside = row_parts.join_thought(step.decision)
        if step.decision.calls:
            calls = list(map(row_parts.write_call, step.decision.calls))
            text = format_json(calls if len(calls) > 1 else calls[0])
            conversation.append(Utterance("function_call", beside + text))
        else:
            conversation.append(Utterance("gpt", beside))
        if step.results:
            contents = [result.content for result in step.results]
            several = len(contents) > 1
            text = format_json(contents) if several else row_parts.write_observation(contents[0])
            conversation.append(Utterance("observation", text))
    tools = format_json(list(map(build_function, group.tools))) if group.tools else ""
    return Row(conversation, tools, group.prompt.instructions or None, rows.write_facets(group))


def read(row: Row) -> Group:
    tools = row_parts.read_tools(row.tools, bool(row.facets))
    return rows.build_group(_read_turns(row), tools, row.facets)


def _read_turns(row: Row) -> Iterator[Turn | rows.System]:
    yield rows.System(row.system or "")
    calls: list[Call] = []
    numbered = enumerate(row.conversations)
    for speaker, block in groupby(numbered, key=lambda pair: pair[1].speaker):
        utterances = list(block)
        number = utterances[0][0]
        match speaker:
            case "system":
                yield from (rows.System(said.value) for _, said in utterances)
            case "human" | "user":
                yield from (User(said.value) for _, said in utterances)
            case "gpt" | "assistant":
                yield from (row_parts.build_answer(said.value) for _, said in utterances)
            case "function_call":
                thought, calls = _read_calls(utterances)
                yield Assistant("call", thought, tuple(calls))
            case "observation":
                values = [row_parts.read_observation(said.value) for _, said in utterances]
                if len(calls) > 1 and len(values) == 1 and isinstance(values[0], list):
                    values = values[0]
                yield from row_parts.build_results(calls, values, f"conversations.{number}")
                calls = []
            case _:
                raise ValueError(f"conversations.{number}.from: unknown speaker {speaker!r}")


def _read_calls(utterances: Sequence[tuple[int, Utterance]]) -> tuple[str, list[Call]]:
    """The thought and the calls of function_call utterances that follow one another."""
    read = [row_parts.read_calls(said.value, f"conversations.{n}.value") for n, said in utterances]
    thought = " ".join(filter(None, (thought for thought, _ in read)))
    return thought, [call for _, calls in read for call in calls]
