"""Turns as the messages and tools of OpenAI's protocol: what a chat template is given."""

from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.tool_lists.documents import build_openai_tool
from agent_tuning.records import Assistant, Call, Json, Tool, ToolResult, Turn, User

Message = dict[str, Json]


def build_tools(tools: Sequence[Tool]) -> list[Json] | None:
    """None without tools: that is what a client sends."""
    return [build_openai_tool(tool) for tool in tools] or None


def build_messages(turns: Sequence[Turn], instructions: str = "") -> list[Message]:
    """The instructions as a system message, if there are any, then one message a turn.

    A thought is the content beside calls; no other reply has one.
    """
    messages: list[Message] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    calls = 0
    unanswered: list[tuple[str, str]] = []  # name of the tool and id of the call
    for turn in turns:
        if isinstance(turn, User):
            messages.append({"role": "user", "content": turn.text})
        elif isinstance(turn, Assistant):
            ids = [_write_id(calls + number) for number in range(len(turn.calls))]
            calls += len(ids)
            unanswered = [(call.name, i) for call, i in zip(turn.calls, ids, strict=True)]
            messages.append(_build_reply(turn, ids))
        else:
            open_call = _choose_call(turn, unanswered)
            if open_call:
                unanswered.remove(open_call)
            else:
                open_call = (turn.name, _write_id(calls))
                calls += 1
            messages.append(
                {
                    "role": "tool",
                    "tool_call_id": open_call[1],
                    "name": turn.name,
                    "content": format_json(turn.content),
                }
            )
    return messages


def _build_reply(turn: Assistant, ids: Sequence[str]) -> Message:
    if not turn.calls:
        return {"role": "assistant", "content": turn.text}
    calls = [_build_call(call, call_id) for call, call_id in zip(turn.calls, ids, strict=True)]
    return {"role": "assistant", "content": turn.thought, "tool_calls": calls}


def _build_call(call: Call, call_id: str) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call_id, "type": "function", "function": function}


def _choose_call(result: ToolResult, calls: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The first call that the result may answer."""
    own = (call for call in calls if call[0] == result.name)
    return next(own, None) or next(iter(calls), None)


def _write_id(number: int) -> str:
    """Nine letters and digits: some templates take no other id."""
    return f"call{number:05}"
