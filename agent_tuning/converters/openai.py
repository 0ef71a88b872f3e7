"""OpenAI `messages` with tool calls, as its fine-tuning reads them: `weight: 0` is not trained."""

from collections.abc import Iterator

import msgspec

from agent_tuning.converters import rows
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Call, Group, Json, ToolResult, Turn, User


class Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, Json] = "{}"


class ToolCall(msgspec.Struct):
    id: str
    function: Function
    type: str = "function"


class Part(msgspec.Struct):
    text: str
    type: str = "text"


class Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    weight: int | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Row(msgspec.Struct, omit_defaults=True):
    messages: list[Message]
    tools: list[dict[str, Json]] | str | None = None
    facets: str = ""


def write(group: Group) -> Row:
    messages: list[Message] = []
    for number, step in enumerate(rows.split_steps(rows.only_trajectory(group))):
        if step.user_text is not None:
            messages.append(Message("user", step.user_text))
        decision = step.decision
        calls = [
            ToolCall(f"call_{number}_{n}", Function(call.name, format_json(call.arguments)))
            for n, call in enumerate(decision.calls)
        ]
        # An answer may be empty; beside calls there is no text at all.
        text = rows.join_thought(decision) if not calls or decision.thought else None
        weight = None if decision.trained else 0
        messages.append(Message("assistant", text, calls or None, weight=weight))
        for call, result in zip(calls, step.results, strict=False):
            messages.append(
                Message("tool", rows.write_observation(result.content), tool_call_id=call.id)
            )
    tools = [rows.write_function(tool) for tool in group.tools]
    return Row(messages, tools, rows.write_facets(group))


def read(row: Row) -> Group:
    system = "\n\n".join(m.text for m in row.messages if m.role in ("system", "developer"))
    return rows.build_group(list(_read_turns(row)), rows.read_tools(row.tools), row.facets, system)


def _read_turns(row: Row) -> Iterator[Turn]:
    names: dict[str | None, str] = {}
    for number, message in enumerate(row.messages):
        match message.role:
            case "system" | "developer":
                continue
            case "user":
                yield User(message.text)
            case "assistant":
                calls = message.tool_calls or []
                names |= {call.id: call.function.name for call in calls}
                trained = message.weight != 0
                if calls:
                    read = [_read_call(call.function) for call in calls]
                    yield rows.build_call_turn(message.text, read, trained)
                else:
                    yield rows.build_answer(message.text, trained)
            case "tool" if message.tool_call_id in names:
                yield ToolResult(names[message.tool_call_id], rows.read_observation(message.text))
            case "tool":
                problem = f"no call {message.tool_call_id!r} before it"
                raise ValueError(f"messages.{number}.tool_call_id: {problem}")
            case role:
                raise ValueError(f"messages.{number}.role: unknown role {role!r}")


def _read_call(function: Function) -> Call:
    return rows.read_call({"name": function.name, "arguments": function.arguments})
