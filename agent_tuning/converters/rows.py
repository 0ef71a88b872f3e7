"""What every format of trajectories shares: a row is one trajectory with its tools.

`facets` is the one column that we add: it holds what the other format has no place for. Other
readers ignore it. With it a row gives back exactly the group that it came from. Without it every
text is an answer, and every reply is trained unless the format itself says otherwise.
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

OUR_THOUGHT = re.compile(r"<think>([^\n]*)</think>\n")
ANY_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)


class Facets(Record, frozen=True):
    """Of a trajectory and its group; `asks` and `untrained` number the model's turns from 0."""

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
    """A decision, the user's text before it, and the tool results after it."""

    user_text: str | None  # None where the decision follows tool results
    decision: Assistant
    results: tuple[ToolResult, ...]


def only_trajectory(group: Group) -> Trajectory:
    """The trajectory of a group of one."""
    (trajectory,) = group.trajectories
    return trajectory


def split_steps(trajectory: Trajectory) -> list[Step]:
    """Its decisions in order. Raises BadInput if turns are missing."""
    steps: list[Step] = []
    turns = list(trajectory.turns)
    while turns:
        first = turns.pop(0) if isinstance(turns[0], User) else None
        user_text = first.text if isinstance(first, User) else None
        decision = turns.pop(0) if turns else None
        results: list[ToolResult] = []
        while turns and isinstance(result := turns[0], ToolResult):
            results.append(result)
            del turns[0]
        follows_results = bool(steps and steps[-1].results)  # then no user speaks before it
        problem = BadInput(
            f"trajectory {trajectory.id}: decision {len(steps)}: "
            "expected user, model, a result for each call, and the model last"
        )
        if not isinstance(decision, Assistant):
            raise problem
        if follows_results != (user_text is None) or user_text == "":
            raise problem
        expected = [call.name for call in decision.calls] if turns else []
        if [result.name for result in results] != expected:
            raise problem
        steps.append(Step(user_text, decision, tuple(results)))
    return steps


def write_facets(group: Group) -> str:
    trajectory = only_trajectory(group)
    decisions = [turn for turn in trajectory.turns if isinstance(turn, Assistant)]
    return format_json(
        msgspec.to_builtins(
            Facets(
                group=group.id,
                id=trajectory.id,
                kind=trajectory.kind,
                language=trajectory.language,
                tool=trajectory.tool,
                scenario=trajectory.scenario,
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
    """The group of one in a row; `column` is its `facets`. Raises ValueError without a reply."""
    while turns and not isinstance(turns[-1], Assistant):
        turns = turns[:-1]  # turns after the model's last one teach it nothing
    if not turns:
        raise ValueError("expected at least one turn of the model")
    if column:
        facets = msgspec.json.decode(column, type=Facets)
        turns = tuple(_restore_decisions(turns, facets))
    else:
        turns = tuple(_prepend_system(turns, system))
        facets = _guess_facets(turns, tools)
    trajectory = Trajectory(
        facets.id, turns, facets.kind, facets.language, facets.tool, facets.scenario
    )
    prompt = PromptSpec(
        id=facets.group if facets.prompt is None else facets.prompt,
        language=facets.language,
        tools=tuple(tools),
        template=facets.template,
        tool_format=facets.tool_format,
        reply_format=facets.reply_format,
    )
    return Group(facets.group, prompt, (trajectory,))


def _restore_decisions(turns: Sequence[Turn], facets: Facets) -> list[Turn]:
    """The turns with decisions to ask, and with replies that are context only."""
    restored: list[Turn] = []
    number = 0
    for turn in turns:
        if isinstance(turn, Assistant):
            trained = number not in facets.untrained
            decision = "ask" if number in facets.asks else turn.decision
            turn = msgspec.structs.replace(turn, decision=decision, trained=trained)
            number += 1
        restored.append(turn)
    return restored


def _prepend_system(turns: Sequence[Turn], system: str) -> list[Turn]:
    """Other people's system prompt goes before the user's text: ours come from templates."""
    if not system:
        return list(turns)
    first = turns[0]
    if isinstance(first, User):
        return [User(f"{system}\n\n{first.text}"), *turns[1:]]
    return [User(system), *turns]


def _guess_facets(turns: Sequence[Turn], tools: Sequence[Tool]) -> Facets:
    """The facets of a row that has none; its id is a hash of its content."""
    content = msgspec.json.encode((turns, tools), order="deterministic")
    name = "x" + hashlib.blake2b(content, digest_size=8).hexdigest()
    calls = [turn.calls for turn in turns if isinstance(turn, Assistant) and turn.calls]
    user_text = "".join(turn.text for turn in turns if isinstance(turn, User))
    return Facets(
        group=name,
        id=name,
        kind=_guess_kind(calls),
        language="zh" if word_overlap.has_cjk(user_text) else "en",
        tool=calls[0][0].name if calls else "",
        template="" if tools else system_prompt.GENERAL_TEMPLATE,
    )


def _guess_kind(calls: Sequence[Sequence[Call]]) -> str:
    """The kind of a trajectory whose turns make these calls."""
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
    """The thought and the text of a reply by any model."""
    if match := OUR_THOUGHT.match(text):
        return match.group(1).strip(), text[match.end() :]
    if match := ANY_THOUGHT.match(text):
        return collapse_spaces(match.group(1)), text[match.end() :]
    return "", text


def build_answer(text: str, trained: bool = True) -> Assistant:
    thought, answer = split_thought(text)
    return Assistant("no_call", thought, text=answer, trained=trained)


def build_call_turn(text: str, calls: Sequence[Call], trained: bool = True) -> Assistant:
    """A decision to call; the text beside the calls joins its thought."""
    thought, beside = split_thought(text)
    if beside.strip():
        thought = collapse_spaces(f"{thought} {beside}")
    return Assistant("call", thought, tuple(calls), trained=trained)


def collapse_spaces(text: str) -> str:
    return " ".join(text.split())


def write_observation(value: Json) -> str:
    """An observation as text; a string stays as it is unless it would be read as JSON."""
    if isinstance(value, str) and read_observation(value) == value:
        return value
    return format_json(value)


def read_observation(text: str) -> Json:
    """The JSON that a text holds, or the text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def build_results(calls: Sequence[Call], values: Sequence[Json]) -> list[ToolResult]:
    if len(calls) != len(values):
        raise ValueError(f"{len(values)} observations for {len(calls)} calls")
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
    """A list of tools, as JSON or as a text of JSON; functions bare or wrapped."""
    listed = msgspec.json.decode(value) if isinstance(value, str) and value else value
    return tuple(map(_read_tool, msgspec.convert(listed or [], list[dict[str, Json]])))


def _read_tool(value: dict[str, Json]) -> Tool:
    inner = msgspec.convert(value.get("function", value), dict[str, Json])
    if inner.get("parameters") is None:
        inner = inner | {"parameters": {"type": "object", "properties": {}}}
    fields = {"name": inner.get("name"), "description": inner.get("description") or ""}
    return msgspec.convert({**fields, "parameters": inner["parameters"]}, Tool)
