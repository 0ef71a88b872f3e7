"""ms-swift's `messages`: one tool_call message for each call, one tool_response for each result.

A thought is an assistant message right before its calls. `loss: false` is not trained.
"""

from collections.abc import Iterator
from itertools import groupby

import msgspec

from agent_tuning.converters import rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Assistant, Call, Group, Json, Turn, User


class Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str
    loss: bool | None = None


class Row(msgspec.Struct, omit_defaults=True):
    messages: list[Message]
    tools: str | list[dict[str, Json]] | None = None
    facets: str = ""


def write(group: Group) -> Row:
    messages: list[Message] = []
    for step in rows.split_steps(rows.only_trajectory(group)):
        decision = step.decision
        loss = None if decision.trained else False
        if step.user_text is not None:
            messages.append(Message("user", step.user_text))
        if decision.thought or not decision.calls:
            messages.append(Message("assistant", rows.join_thought(decision), loss))
        for call in decision.calls:
            text = format_json(rows.write_call(call))
            messages.append(Message("tool_call", text, loss))
        for result in step.results:
            messages.append(Message("tool_response", rows.write_observation(result.content)))
    tools = format_json([rows.write_function(tool) for tool in group.tools]) if group.tools else ""
    return Row(messages, tools, rows.write_facets(group))


def read(row: Row) -> Group:
    system = "\n\n".join(m.content for m in row.messages if m.role == "system")
    return rows.build_group(list(_read_turns(row)), rows.read_tools(row.tools), row.facets, system)


def _read_turns(row: Row) -> Iterator[Turn]:
    calls: list[Call] = []
    pending: Assistant | None = None  # an answer, or the thought of calls that follow
    for role, block in groupby(row.messages, key=lambda message: message.role):
        messages = list(block)
        if pending is not None and role != "tool_call":
            yield pending
            pending = None
        match role:
            case "system":
                continue
            case "user":
                yield from (User(message.content) for message in messages)
            case "assistant":
                *answers, pending = (
                    rows.build_answer(m.content, m.loss is not False) for m in messages
                )
                yield from answers
            case "tool_call":
                calls = [rows.read_call(msgspec.json.decode(m.content)) for m in messages]
                beside = rows.join_thought(pending) if pending else ""
                yield rows.build_call_turn(beside, calls, messages[0].loss is not False)
                pending = None
            case "tool_response" | "tool":
                yield from rows.build_results(
                    calls, [rows.read_observation(m.content) for m in messages]
                )
            case _:
                raise ValueError(f"messages: unknown role {role!r}")
    if pending is not None:
        yield pending
