"""Degenerate answers: a scorer that gives them more than they are worth is wrong.

They deserve nothing, or less than the gold. Most are made from the gold itself, which a model
cannot see; `gold` is what a perfect model writes.
"""

from collections.abc import Sequence
from random import Random

import msgspec

from agent_tuning.records import Assistant, Call, Tool
from benchmark.scoring.baselines import NO_TOOL, Baseline, write_turn
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Gold, Task

LETTERS = '{}[]()<>":,\\ abcé查天🌞\n'
INVENTED_ARGUMENTS = {"made_up": "yes"}


def gold(task: Task, _: Sequence[Tool]) -> str:
    return write_turn(task, _build_gold(task))


def empty(_: Task, __: Sequence[Tool]) -> str:
    return ""


def garbage(task: Task, _: Sequence[Tool]) -> str:
    return "".join(Random(task.id).choices(LETTERS, k=200))


def bare_description(task: Task, _: Sequence[Tool]) -> str:
    """The right description, in no reply format."""
    return task.golds[0].thought


def bare_tool_list(_: Task, tools: Sequence[Tool]) -> str:
    return "\n".join(f"{tool.name}: {tool.description}" for tool in tools)


def every_tool(task: Task, tools: Sequence[Tool]) -> str:
    """One of them will be right."""
    calls = tuple(Call(tool.name, {}) for tool in tools)
    return write_turn(
        task, Assistant("call", _join_thought(task.golds[0]), calls) if calls else _build_gold(task)
    )


def query_as_text(task: Task, _: Sequence[Tool]) -> str:
    return last_user_text(task)


def cut_off(task: Task, tools: Sequence[Tool]) -> str:
    """The gold, cut off in the middle."""
    whole = gold(task, tools)
    return whole[: len(whole) // 2]


def twice(task: Task, tools: Sequence[Tool]) -> str:
    """The gold, written two times."""
    return f"{gold(task, tools)}\n{gold(task, tools)}"


def repeated_calls(task: Task, _: Sequence[Tool]) -> str:
    turn = _build_gold(task)
    return write_turn(task, msgspec.structs.replace(turn, calls=turn.calls * 3))


def repeated_description(task: Task, _: Sequence[Tool]) -> str:
    turn = _build_gold(task)
    return write_turn(
        task, msgspec.structs.replace(turn, thought=" ".join([turn.thought] * 3).strip())
    )


def invented_arguments(task: Task, _: Sequence[Tool]) -> str:
    """One more argument in every call; where no call is due, a call of an unknown tool."""
    turn = _build_gold(task)
    calls = tuple(Call(c.name, {**c.arguments, **INVENTED_ARGUMENTS}) for c in turn.calls)
    calls = calls or (Call("made_up", INVENTED_ARGUMENTS),)
    return write_turn(task, Assistant("call", turn.thought, calls))


def wrong_decision(task: Task, tools: Sequence[Tool]) -> str:
    """The right description, and the wrong decision."""
    thought = _join_thought(task.golds[0])
    if task.decision == "call" or not tools:
        return write_turn(task, Assistant("no_call", thought, text=NO_TOOL[task.language]))
    return write_turn(task, Assistant("call", thought, (Call(tools[0].name),)))


DEGENERATE: dict[str, Baseline] = {
    "gold": gold,
    "empty": empty,
    "garbage": garbage,
    "bare_description": bare_description,
    "bare_menu": bare_tool_list,
    "query_as_text": query_as_text,
    "cut_off": cut_off,
    "twice": twice,
    "every_tool": every_tool,
    "repeated_calls": repeated_calls,
    "repeated_description": repeated_description,
    "invented_arguments": invented_arguments,
    "wrong_decision": wrong_decision,
}


def _build_gold(task: Task) -> Assistant:
    """The first gold, with the first accepted value of every argument."""
    first = task.golds[0]
    if first.decision != "call":
        return Assistant(first.decision, _join_thought(first), text=NO_TOOL[task.language])
    calls = (Call(c.name, {name: v[0] for name, v in c.arguments.items()}) for c in first.calls)
    return Assistant("call", _join_thought(first), tuple(calls))


def _join_thought(gold: Gold) -> str:
    return " ".join(gold.thought.split())
