"""What every format of trajectories shares: a row is one trajectory with its tools.

`facets` is the one column that we add: it holds what the other format has no place for. Other
readers ignore it. With it a row gives back exactly the group that it came from. Without it every
text is an answer, and every reply is trained unless the format itself says otherwise.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from agent_tuning.converters import row_parts
from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.quality import word_overlap
from agent_tuning.records import (
    Assistant,
    BadInput,
    Call,
    Group,
    Language,
    PromptSpec,
    Record,
    Tool,
    ToolResult,
    Trajectory,
    Turn,
    User,
)

T = TypeVar("T")
# How models write thoughts and calls in their text.
THOUGHT = re.compile(r"</?think>")
CALL_OR_THOUGHT = re.compile(
    rf"{THOUGHT.pattern}|<tool_call>|<TOOLCALL>|<functioncall>|<function=|\[TOOL_CALLS\]|<\|python_tag\|>"
    r'|^Action Input:|^\s*\[?\s*\{\s*"name"\s*:\s*"[^"]*"\s*,\s*"(?:arguments|parameters)"',
    re.MULTILINE,
)


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
    instructions: str = ""
    asks: tuple[int, ...] = ()
    untrained: tuple[int, ...] = ()


class Step(NamedTuple):
    """A decision, the user's text before it, and the tool results after it."""

    user_text: str | None  # None where the decision follows tool results
    decision: Assistant
    results: tuple[ToolResult, ...]


class System(NamedTuple):
    """What is said to the model beside the conversation, where it stands in other people's rows."""

    text: str


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
                instructions=group.prompt.instructions,
                asks=tuple(n for n, turn in enumerate(decisions) if turn.decision == "ask"),
                untrained=tuple(n for n, turn in enumerate(decisions) if not turn.trained),
            )
        )
    )


def build_group(said: Iterable[Turn | System], tools: Sequence[Tool], column: str) -> Group:
    """The group of one in a row; `column` is its `facets`. Raises ValueError without a reply."""
    if column:
        facets = msgspec.json.decode(column, type=Facets)
        ours = _end_with_a_reply([turn for turn in said if not isinstance(turn, System)])
        turns = tuple(_restore_decisions(ours, facets))
    else:
        turns = tuple(join_thoughts(_place_system(_end_with_a_reply(list(said)))))
        _refuse_silence(turns)
        _refuse_markup(turns, CALL_OR_THOUGHT if tools else THOUGHT)
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
        instructions=facets.instructions,
    )
    return Group(facets.group, prompt, (trajectory,))


def _end_with_a_reply(said: list[T]) -> list[T]:
    """The turns up to the model's last one: what follows teaches it nothing."""
    end = max((n for n, turn in enumerate(said, 1) if isinstance(turn, Assistant)), default=0)
    if not end:
        raise ValueError("expected at least one turn of the model")
    return said[:end]


def _refuse_silence(turns: Sequence[Turn]) -> None:
    """Raise ValueError for a turn of the model with neither text nor call: it says nothing."""
    decisions = [turn for turn in turns if isinstance(turn, Assistant)]
    for number, turn in enumerate(decisions, 1):
        if not (turn.calls or turn.text.strip()):
            raise ValueError(f"turn {number} of the model: neither text nor call")


def _refuse_markup(turns: Sequence[Turn], markup: re.Pattern[str]) -> None:
    """Raise ValueError for a call or a part of a thought that is still in a text.

    Such a call would train to make no call, and such a thought to be said.
    """
    decisions = [turn for turn in turns if isinstance(turn, Assistant)]
    for number, turn in enumerate(decisions, 1):
        if match := markup.search(f"{turn.thought}\n{turn.text}"):
            shown = match.group().strip()
            problem = f"{shown!r} in its text: expected calls and thoughts in their own places"
            raise ValueError(f"turn {number} of the model: {problem}")


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


def _place_system(said: Iterable[Turn | System]) -> list[Turn]:
    """Other people's system prompts go before what the user says next: ours come from templates.

    Where the model speaks next, they go after what the user said last.
    """
    turns: list[Turn] = []
    waiting: list[str] = []
    for turn in said:
        if isinstance(turn, System):
            waiting += [turn.text] if turn.text else []
        elif isinstance(turn, User):
            turns.append(User("\n\n".join([*waiting, turn.text])))
            waiting = []
        elif isinstance(turn, Assistant) and waiting:
            if turns and isinstance(last := turns[-1], User):
                waiting.insert(0, last.text)
                turns.pop()
            turns += [User("\n\n".join(waiting)), turn]
            waiting = []
        else:
            turns.append(turn)
    return turns


def join_thoughts(turns: Iterable[Turn]) -> Iterator[Turn]:
    """The turns; what the model says right before calls is the thought of the calls.

    It is trained as a whole: a part that is not trained leaves all of it out.
    """
    waiting: list[Assistant] = []
    for turn in turns:
        if isinstance(turn, Assistant) and not turn.calls:
            waiting.append(turn)
            continue
        if isinstance(turn, Assistant) and waiting:
            said = [text for one in waiting for text in (one.thought, one.text)]
            thought = row_parts.collapse_spaces(" ".join([*said, turn.thought]))
            trained = all(one.trained for one in [*waiting, turn])
            yield msgspec.structs.replace(turn, thought=thought, trained=trained)
        else:
            yield from [*waiting, turn]
        waiting = []
    yield from waiting


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
