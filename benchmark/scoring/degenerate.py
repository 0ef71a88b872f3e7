"""Degenerate answers: a scorer that gives them more than they are worth is wrong.

They deserve nothing, or less than the gold. Most are made from the gold itself, which a model
cannot see; `gold` is what a perfect model writes.
"""

from random import Random

import msgspec

from agent_tuning.records import Assistant, Call, PromptSpec
from benchmark.scoring.baselines import NO_TOOL, Baseline, write_turn
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.gold_turn import build_gold_turn
from benchmark.tasks.suites import Gold, Task

LETTERS = '{}[]()<>":,\\ abcé查天🌞\n'
QUESTION = {"en": "Which one?", "zh": "哪一个？"}
INVENTED_ARGUMENTS = {"made_up": "yes"}


def gold(task: Task, prompt: PromptSpec) -> str:
    return write_turn(prompt, _build_gold(task, prompt))


def empty(_: Task, __: PromptSpec) -> str:
    return ""


def garbage(task: Task, _: PromptSpec) -> str:
    return "".join(Random(task.id).choices(LETTERS, k=200))


def bare_description(task: Task, _: PromptSpec) -> str:
    """The right description, in no reply format."""
    return task.golds[0].thought


def bare_tool_list(_: Task, prompt: PromptSpec) -> str:
    return "\n".join(f"{tool.name}: {tool.description}" for tool in prompt.tools)


def every_tool(task: Task, prompt: PromptSpec) -> str:
    """One of them will be right."""
    calls = tuple(Call(tool.name, {}) for tool in prompt.tools)
    return write_turn(
        prompt,
        Assistant("call", _join_thought(task.golds[0]), calls)
        if calls
        else _build_gold(task, prompt),
    )


def query_as_text(task: Task, _: PromptSpec) -> str:
    return last_user_text(task)


def cut_off(task: Task, prompt: PromptSpec) -> str:
    """The gold, cut off in the middle."""
    whole = gold(task, prompt)
    return whole[: len(whole) // 2]


def twice(task: Task, prompt: PromptSpec) -> str:
    """The gold, written two times."""
    return f"{gold(task, prompt)}\n{gold(task, prompt)}"


def repeated_calls(task: Task, prompt: PromptSpec) -> str:
    turn = _build_gold(task, prompt)
    return write_turn(prompt, msgspec.structs.replace(turn, calls=turn.calls * 3))


def repeated_description(task: Task, prompt: PromptSpec) -> str:
    turn = _build_gold(task, prompt)
    return write_turn(
        prompt, msgspec.structs.replace(turn, thought=" ".join([turn.thought] * 3).strip())
    )


def invented_arguments(task: Task, prompt: PromptSpec) -> str:
    """One more argument in every call; where no call is due, a call of an unknown tool."""
    turn = _build_gold(task, prompt)
    calls = tuple(Call(c.name, {**c.arguments, **INVENTED_ARGUMENTS}) for c in turn.calls)
    calls = calls or (Call("made_up", INVENTED_ARGUMENTS),)
    return write_turn(prompt, Assistant("call", turn.thought, calls))


def wrong_decision(task: Task, prompt: PromptSpec) -> str:
    """The right description, and the wrong decision."""
    thought = _join_thought(task.golds[0])
    if task.decision == "call" or not prompt.tools:
        return write_turn(prompt, Assistant("no_call", thought, text=NO_TOOL[prompt.language]))
    return write_turn(prompt, Assistant("call", thought, (Call(prompt.tools[0].name),)))


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


def _build_gold(task: Task, prompt: PromptSpec) -> Assistant:
    """The first gold, with the first accepted value of every argument."""
    first = task.golds[0]
    text = (QUESTION if first.decision == "ask" else NO_TOOL)[prompt.language]
    return build_gold_turn(msgspec.structs.replace(first, thought=_join_thought(first)), text)


def _join_thought(gold: Gold) -> str:
    return " ".join(gold.thought.split())
