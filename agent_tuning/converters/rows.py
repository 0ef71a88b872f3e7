"""What every format of trajectories shares: a row is one trajectory with its menu.

`facets` is our one column among theirs: what their format has no place for. Their readers ignore
it, and with it a row gives back exactly the group it came from. A row without it is read as it
stands: every text is an answer, every reply is trained unless the format itself says otherwise.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.quality import word_overlap
from agent_tuning.records import (
    Assistant,
    BadInput,
    Call,
    Group,
    Json,
    Language,
    PromptSpec,
    Record,
    Tool,
    ToolResult,
    Trajectory,
    Turn,
    User,
)

OURS = re.compile(r"<think>([^\n]*)</think>\n")
THEIRS = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)


class Facets(Record, frozen=True):
    """Of a trajectory and its group; `asks` and `untrained` count the model's turns from 0."""

    group: str
    id: str
    kind: str
    language: Language
    tool: str = ""
    scenario: str = ""
    prompt: str | None = None  # older rows have none: the group is its own prompt
    template: str = ""
    tool_format: str = ""
    reply_format: str = ""
    asks: tuple[int, ...] = ()
    untrained: tuple[int, ...] = ()


class Step(NamedTuple):
    """A decision, what the user said before it, and what the tools gave back after it."""

    said: str | None  # None where the decision follows from observations
    decision: Assistant
    results: tuple[ToolResult, ...]


def only_trajectory(group: Group) -> Trajectory:
    """The trajectory of a group of one."""
    (trajectory,) = group.trajectories
    return trajectory


def split_steps(trajectory: Trajectory) -> list[Step]:
    """Its decisions in order; BadInput where it is no whole exchange."""
    made: list[Step] = []
    turns = list(trajectory.turns)
    while turns:
        first = turns.pop(0) if isinstance(turns[0], User) else None
        said = first.text if isinstance(first, User) else None
        decision = turns.pop(0) if turns else None
        results: list[ToolResult] = []
        while turns and isinstance(result := turns[0], ToolResult):
            results.append(result)
            del turns[0]
        followed = bool(made and made[-1].results)  # the tools have answered: no user speaks
        if not isinstance(decision, Assistant) or followed != (said is None) or said == "":
            raise _not_whole(trajectory, made)
        expected = [call.name for call in decision.calls] if turns else []
        if [result.name for result in results] != expected:
            raise _not_whole(trajectory, made)
        made.append(Step(said, decision, tuple(results)))
    return made


def _not_whole(trajectory: Trajectory, before: Sequence[Step]) -> BadInput:
    expected = "expected user, model, a result for each call, and the model last"
    return BadInput(f"trajectory {trajectory.id}: decision {len(before)}: {expected}")


def write_facets(group: Group) -> str:
    one = only_trajectory(group)
    decisions = [turn for turn in one.turns if isinstance(turn, Assistant)]
    return format_json(
        msgspec.to_builtins(
            Facets(
                group=group.id,
                id=one.id,
                kind=one.kind,
                language=one.language,
                tool=one.tool,
                scenario=one.scenario,
                prompt=group.prompt.id,
                template=group.prompt.template,
                tool_format=group.prompt.tool_format,
                reply_format=group.prompt.reply_format,
                asks=tuple(n for n, turn in enumerate(decisions) if turn.decision == "ask"),
                untrained=tuple(n for n, turn in enumerate(decisions) if not turn.trained),
            )
        )
    )


def build_group(
    turns: Sequence[Turn], tools: Sequence[Tool], column: str, system: str = ""
) -> Group:
    """The group of one that a row stands for; ValueError where the model says nothing in it."""
    while turns and not isinstance(turns[-1], Assistant):
        turns = turns[:-1]  # what follows the model's last word teaches it nothing
    if not turns:
        raise ValueError("no turn of the model")
    found = msgspec.json.decode(column, type=Facets) if column else None
    turns = tuple(_marked(turns, found) if found else _opened(turns, system))
    found = found or _guessed(turns, tools)
    one = Trajectory(found.id, turns, found.kind, found.language, found.tool, found.scenario)
    prompt = PromptSpec(
        id=found.group if found.prompt is None else found.prompt,
        language=found.language,
        tools=tuple(tools),
        template=found.template,
        tool_format=found.tool_format,
        reply_format=found.reply_format,
    )
    return Group(found.group, prompt, (one,))


def _marked(turns: Sequence[Turn], found: Facets) -> list[Turn]:
    """The turns with the decisions to ask, and those that are context only."""
    made: list[Turn] = []
    number = 0
    for turn in turns:
        if isinstance(turn, Assistant):
            trained = number not in found.untrained
            decision = "ask" if number in found.asks else turn.decision
            turn = msgspec.structs.replace(turn, decision=decision, trained=trained)
            number += 1
        made.append(turn)
    return made


def _opened(turns: Sequence[Turn], system: str) -> list[Turn]:
    """A prompt of theirs is the beginning of what the user says: ours come from templates."""
    if not system:
        return list(turns)
    first = turns[0]
    if isinstance(first, User):
        return [User(f"{system}\n\n{first.text}"), *turns[1:]]
    return [User(system), *turns]


def _guessed(turns: Sequence[Turn], tools: Sequence[Tool]) -> Facets:
    """The facets of a row that has none: its id is a hash of what it holds."""
    content = msgspec.json.encode((turns, tools), order="deterministic")
    name = "x" + hashlib.blake2b(content, digest_size=8).hexdigest()
    calls = [turn.calls for turn in turns if isinstance(turn, Assistant) and turn.calls]
    said = "".join(turn.text for turn in turns if isinstance(turn, User))
    return Facets(
        group=name,
        id=name,
        kind=_kind(calls),
        language="zh" if word_overlap.has_cjk(said) else "en",
        tool=calls[0][0].name if calls else "",
        template="" if tools else system_prompt.GENERAL_TEMPLATE,
    )


def _kind(calls: Sequence[Sequence[Call]]) -> str:
    """What turns with these calls are an example of."""
    match calls:
        case []:
            return "general"
        case [(_,)]:
            return "call"
        case [_]:
            return "multi"
    return "chain"


def join_thought(turn: Assistant) -> str:
    """The thought between <think> tags on a line of its own, then the text."""
    marked = turn.thought or turn.text.lstrip().startswith("<think>")
    return f"<think>{turn.thought}</think>\n{turn.text}" if marked else turn.text


def split_thought(text: str) -> tuple[str, str]:
    """Thought and text of what somebody's model said."""
    if found := OURS.match(text):
        return found.group(1).strip(), text[found.end() :]
    if found := THEIRS.match(text):
        return collapse_spaces(found.group(1)), text[found.end() :]
    return "", text


def build_answer(text: str, trained: bool = True) -> Assistant:
    thought, said = split_thought(text)
    return Assistant("no_call", thought, text=said, trained=trained)


def build_call_turn(text: str, calls: Sequence[Call], trained: bool = True) -> Assistant:
    """A decision to call; what stands beside the calls is its thought."""
    thought, said = split_thought(text)
    return Assistant("call", collapse_spaces(f"{thought} {said}") if said.strip() else thought,
                     tuple(calls), trained=trained)  # fmt: skip


def collapse_spaces(text: str) -> str:
    return " ".join(text.split())


def write_observation(value: Json) -> str:
    """An observation as text; a string stays as it is unless it would be read as JSON."""
    return (
        value if isinstance(value, str) and read_observation(value) == value else format_json(value)
    )


def read_observation(text: str) -> Json:
    """The JSON that a text holds, or the text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def build_results(calls: Sequence[Call], values: Sequence[Json]) -> list[ToolResult]:
    if len(calls) != len(values):
        raise ValueError(f"{len(values)} observations of {len(calls)} calls")
    return [ToolResult(call.name, value) for call, value in zip(calls, values, strict=True)]


def read_call(value: Json) -> Call:
    """`{"name": …, "arguments": …}`, the arguments an object or the JSON of one."""
    fields = msgspec.convert(value, dict[str, Json])
    arguments = fields.get("arguments", {})
    if isinstance(arguments, str):
        arguments = msgspec.json.decode(arguments or "{}")
    return msgspec.convert({"name": fields.get("name"), "arguments": arguments}, Call)


def write_call(call: Call) -> dict[str, Json]:
    return {"name": call.name, "arguments": call.arguments}


def write_tool(tool: Tool) -> dict[str, Json]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }


def write_function(tool: Tool) -> dict[str, Json]:
    return {"type": "function", "function": write_tool(tool)}


def read_tools(value: Json) -> tuple[Tool, ...]:
    """A menu, as JSON or as the text of it; functions bare or wrapped."""
    listed = msgspec.json.decode(value) if isinstance(value, str) and value else value
    return tuple(map(_tool, msgspec.convert(listed or [], list[dict[str, Json]])))


def _tool(value: dict[str, Json]) -> Tool:
    inner = msgspec.convert(value.get("function", value), dict[str, Json])
    if inner.get("parameters") is None:
        inner = inner | {"parameters": {"type": "object", "properties": {}}}
    fields = {"name": inner.get("name"), "description": inner.get("description") or ""}
    return msgspec.convert({**fields, "parameters": inner["parameters"]}, Tool)
