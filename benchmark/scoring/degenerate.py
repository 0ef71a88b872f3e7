"""Answers that deserve nothing, or less than the gold's: what a scorer gives them is a test of it.

Most are made from the gold itself, as a model could not; `gold` is what a perfect model writes.
"""

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Assistant, Call, Tool
from benchmark.scoring.baselines import NO_TOOL
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Gold, Task

Rule = Callable[[Task, Sequence[Tool]], str]

LETTERS = '{}[]()<>":,\\ abcé查天🌞\n'
INVENTED_ARGUMENTS = {"made_up": "yes"}


def gold(task: Task, _: Sequence[Tool]) -> str:
    return _write(task, _said(task))


def empty(_: Task, __: Sequence[Tool]) -> str:
    return ""


def garbage(task: Task, _: Sequence[Tool]) -> str:
    return "".join(Random(task.id).choices(LETTERS, k=200))


def bare_description(task: Task, _: Sequence[Tool]) -> str:
    """The right description in no format at all."""
    return task.golds[0].thought


def bare_tool_list(_: Task, tools: Sequence[Tool]) -> str:
    return "\n".join(f"{tool.name}: {tool.description}" for tool in tools)


def every_tool(task: Task, tools: Sequence[Tool]) -> str:
    """One of them will be right."""
    calls = tuple(Call(tool.name, {}) for tool in tools)
    return _write(task, Assistant("call", _thought(task.golds[0]), calls) if calls else _said(task))


def query_as_text(task: Task, _: Sequence[Tool]) -> str:
    return last_user_text(task)


def cut_off(task: Task, tools: Sequence[Tool]) -> str:
    """The gold, broken off in the middle."""
    whole = gold(task, tools)
    return whole[: len(whole) // 2]


def twice(task: Task, tools: Sequence[Tool]) -> str:
    """The gold, and once more."""
    return f"{gold(task, tools)}\n{gold(task, tools)}"


def repeated_calls(task: Task, _: Sequence[Tool]) -> str:
    said = _said(task)
    return _write(task, msgspec.structs.replace(said, calls=said.calls * 3))


def repeated_description(task: Task, _: Sequence[Tool]) -> str:
    said = _said(task)
    return _write(task, msgspec.structs.replace(said, thought=" ".join([said.thought] * 3).strip()))


def invented_arguments(task: Task, _: Sequence[Tool]) -> str:
    """An argument more; where no call is due, the call of a tool that is not there."""
    said = _said(task)
    calls = tuple(Call(c.name, {**c.arguments, **INVENTED_ARGUMENTS}) for c in said.calls)
    calls = calls or (Call("made_up", INVENTED_ARGUMENTS),)
    return _write(task, Assistant("call", said.thought, calls))


def wrong_decision(task: Task, tools: Sequence[Tool]) -> str:
    """The right description before a call where none is due, and before none where one is."""
    thought = _thought(task.golds[0])
    if task.decision == "call" or not tools:
        return _write(task, Assistant("no_call", thought, text=NO_TOOL[task.language]))
    return _write(task, Assistant("call", thought, (Call(tools[0].name),)))


DEGENERATE: dict[str, Rule] = {
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


def _write(task: Task, turn: Assistant) -> str:
    return REPLY_FORMATS[task.reply_format].write(turn)


def _said(task: Task) -> Assistant:
    """The first gold, with the first accepted value of every argument."""
    first = task.golds[0]
    if first.decision != "call":
        return Assistant(first.decision, _thought(first), text=NO_TOOL[task.language])
    calls = (Call(c.name, {name: v[0] for name, v in c.arguments.items()}) for c in first.calls)
    return Assistant("call", _thought(first), tuple(calls))


def _thought(first: Gold) -> str:
    return " ".join(first.thought.split())
