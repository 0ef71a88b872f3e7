"""ms-swift's `messages`: one tool_call message for each call, one tool_response for each result.

A thought is an assistant message right before its calls. `loss: false` is not trained. Messages
with `tool_calls` are those of OpenAI.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import ClassVar

import msgspec

from agent_tuning.converters import openai, row_fields, row_parts, rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_openai_tool
from agent_tuning.records import Assistant, Call, Group, Json, Turn, User


class Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | None = None
    loss: bool | None = None
    tool_calls: list[openai.ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None

    @property
    def text(self) -> str:
        content = self.content or ""
        if not self.reasoning_content:
            return content
        return f"<think>{row_parts.collapse_spaces(self.reasoning_content)}</think>\n{content}"


class Row(msgspec.Struct, omit_defaults=True):
    messages: list[Message]
    tools: str | list[dict[str, Json] | str] | None = None
    facets: str = ""
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW


def write(group: Group) -> Row:
    messages: list[Message] = []
    if group.prompt.instructions:
        messages.append(Message("system", group.prompt.instructions))
    for step in rows.split_steps(rows.only_trajectory(group)):
        decision = step.decision
        loss = None if decision.trained else False
        if step.user_text is not None:
            messages.append(Message("user", step.user_text))
        if decision.thought or not decision.calls:
            messages.append(Message("assistant", row_parts.join_thought(decision), loss))
        for call in decision.calls:
            text = format_json(row_parts.write_call(call))
            messages.append(Message("tool_call", text, loss))
        for result in step.results:
            text = row_parts.write_observation(result.content)
            messages.append(Message("tool_response", text))
    tools = format_json([build_openai_tool(tool) for tool in group.tools]) if group.tools else ""
    return Row(messages, tools, rows.write_facets(group))


def read(row: Row) -> Group:
    tools = row_parts.read_tools(row.tools, bool(row.facets))
    if any(message.tool_calls for message in row.messages):
        said = openai.read_turns([_write_openai(message) for message in row.messages])
    else:
        said = read_turns(row.messages)
    return rows.build_group(said, tools, row.facets)


def _write_openai(message: Message) -> openai.Message:
    return openai.Message(
        "tool" if message.role == "tool_response" else message.role,
        message.text,
        message.tool_calls,
        message.tool_call_id,
        weight=0 if message.loss is False else None,
    )


def read_turns(said: Sequence[Message]) -> Iterator[Turn | rows.System]:
    """The turns of messages. Raises ValueError with place and problem."""
    calls: list[Call] = []
    pending: Assistant | None = None  # an answer, or the thought of calls that follow
    for role, block in groupby(enumerate(said), key=lambda pair: pair[1].role):
        numbered = list(block)
        place = f"messages.{numbered[0][0]}"
        messages = [message for _, message in numbered]
        if pending is not None and role != "tool_call":
            yield pending
            pending = None
        match role:
            case "system":
                yield from (rows.System(message.text) for message in messages)
            case "user":
                yield from (User(message.text) for message in messages)
            case "assistant":
                *answers, pending = (
                    row_parts.build_answer(m.text, m.loss is not False) for m in messages
                )
                yield from answers
            case "tool_call":
                yield (turn := _read_calls(numbered, pending))
                calls = list(turn.calls)
                pending = None
            case "tool_response" | "tool":
                if len(calls) > 1 and any(message.tool_call_id for message in messages):
                    raise ValueError(f"{place}.tool_call_id: the calls before it have no ids")
                values = [row_parts.read_observation(m.text) for m in messages]
                yield from row_parts.build_results(calls, values, place)
                calls = []
            case _:
                raise ValueError(f"{place}.role: unknown role {role!r}")
    if pending is not None:
        yield pending


def _read_calls(numbered: Sequence[tuple[int, Message]], pending: Assistant | None) -> Assistant:
    """One turn of calls. It is trained as a whole: a part without loss leaves all of it out."""
    read = [row_parts.read_calls(m.text, f"messages.{n}.content") for n, m in numbered]
    beside = row_parts.join_thought(pending) if pending else ""
    thoughts = " ".join(filter(None, (thought for thought, _ in read)))
    calls = [call for _, some in read for call in some]
    trained = all(m.loss is not False for _, m in numbered) and (not pending or pending.trained)
    text = f"{beside} {thoughts}" if thoughts else beside
    return row_parts.build_call_turn(text, calls, trained)
