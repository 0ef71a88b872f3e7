"""ReAct: lines of Thought, Action, Action Input; or a Final Answer; or an Ask."""

import re
from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import (
    MalformedReply,
    expect_end,
    format_json,
    read_json_object,
)
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment, join_lines
from agent_tuning.records import Assistant, Call, Tool, ToolResult

VALID_PREFIXES = ("Thought:", "Action:", "Final Answer:", "Ask:")
THOUGHT = re.compile(r"\s*(?:Thought: ?([^\n]*)\n)?")
ACTION = re.compile(r"\s*Action: ?([^\n]+)\nAction Input: ?")
TEXTS = {"Final Answer:": "no_call", "Ask:": "ask"}


def segments(turn: Assistant) -> list[Segment]:
    lines: list[list[Segment]] = []
    if turn.thought:
        lines.append([Segment("Thought: "), Segment(turn.thought, "thought")])
    for call in turn.calls:
        lines.append([Segment("Action: "), Segment(call.name, "name")])
        lines.append([Segment(f"Action Input: {format_json(call.arguments)}")])
    if turn.decision == "no_call":
        lines.append([Segment(f"Final Answer: {turn.text}")])
    if turn.decision == "ask":
        lines.append([Segment(f"Ask: {turn.text}")])
    return join_lines(lines)


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    start = THOUGHT.match(text)
    assert start is not None  # the pattern matches the empty string
    thought, position = (start.group(1) or "").strip(), start.end()
    for label, decision in TEXTS.items():
        if text.startswith(label, position):
            answer = text[position + len(label) :].removeprefix(" ")
            return Assistant("ask" if decision == "ask" else "no_call", thought, text=answer)
    calls = []
    while action := ACTION.match(text, position):
        arguments, position = read_json_object(text, action.end())
        calls.append(Call(action.group(1).strip(), arguments))
    if not calls:
        raise MalformedReply("Action, Final Answer or Ask", text, position)
    expect_end(text, position)
    return Assistant("call", thought, tuple(calls))


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(f"Observation: {format_json(result.content)}" for result in results)


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations)
