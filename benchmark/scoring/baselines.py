"""Rules that answer without a model; a tuned model has to beat all of them.

They write in the task's reply format, so that their answers go the same way as a model's.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.quality.word_overlap import WordOverlap, fold_text
from agent_tuning.records import Assistant, Call, Json, Tool
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Task

Baseline = Callable[[Task, Sequence[Tool]], str]

NO_TOOL = {"en": "No tool is needed.", "zh": "不需要工具。"}
LEXICAL_THRESHOLD = (
    0.2  # the overlap from which the lexical matcher calls: near its best on training data
)
NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
QUOTED = r"[\"“「『‘]([^\"”」』’]+)[\"”」』’]"
CAPITAL = r"(?<=[a-z,] )([A-Z]\w*(?: [A-Z]\w*)*)"  # not the first word of a sentence
NAMED = re.compile(f"{QUOTED}|{CAPITAL}|({NUMBER.pattern})")


def always_none(task: Task, _: Sequence[Tool]) -> str:
    return _write(task, _no_call(task))


def always_first(task: Task, tools: Sequence[Tool]) -> str:
    return _write(task, _call(tools[0], last_user_text(task), ()) if tools else _no_call(task))


def random(task: Task, tools: Sequence[Tool]) -> str:
    """Any tool of the menu or none, each as likely."""
    choice = Random(task.id).choice([None, *tools])
    return _write(task, _call(choice, last_user_text(task), ()) if choice else _no_call(task))


def lexical(task: Task, tools: Sequence[Tool]) -> str:
    """The tool that shares most words with the query, if it shares enough."""
    asked = last_user_text(task)
    overlap, tool = _best(asked, tools)
    if tool is None or overlap < LEXICAL_THRESHOLD:
        return _write(task, _no_call(task))
    return _write(task, _call(tool, asked, _named(asked)))


def echo_query(task: Task, _: Sequence[Tool]) -> str:
    """What the text score gives for repeating the user."""
    asked = last_user_text(task)
    return _write(task, Assistant("no_call", _line(asked), text=asked))


def echo_description(task: Task, tools: Sequence[Tool]) -> str:
    """What the text score gives for repeating the menu."""
    tool = _best(last_user_text(task), tools)[1]
    if tool is None:
        return _write(task, _no_call(task))
    return _write(task, _call(tool, last_user_text(task), (), _line(tool.description)))


def malformed(task: Task, tools: Sequence[Tool]) -> str:
    """The first tool called, broken off in the middle of its arguments."""
    whole = always_first(task, tools)
    return whole[: whole.rfind("}")] if "}" in whole else ""


BASELINES: dict[str, Baseline] = {
    "always_none": always_none,
    "always_first": always_first,
    "random": random,
    "lexical": lexical,
    "echo_query": echo_query,
    "echo_description": echo_description,
    "malformed": malformed,
}


def _write(task: Task, turn: Assistant) -> str:
    return REPLY_FORMATS[task.reply_format].write(turn)


def _no_call(task: Task) -> Assistant:
    return Assistant("no_call", text=NO_TOOL[task.language])


def _call(tool: Tool, asked: str, names: Sequence[str], thought: str = "") -> Assistant:
    properties = tool.parameters.get("properties", {})
    required = [name for name in tool.parameters.get("required", []) if name in properties]
    spare = iter(names)
    given = {name: _guess(properties[name], asked, spare.__next__) for name in required}
    return Assistant("call", thought, (Call(tool.name, given),))


def _guess(schema: dict[str, Json], asked: str, next_name: Callable[[], str]) -> Json:
    """A value of the right type, out of the query where it can be."""
    if "enum" in schema:
        said = [value for value in schema["enum"] if fold_text(str(value)) in fold_text(asked)]
        return (said or schema["enum"])[0]
    match schema.get("type"):
        case "integer":
            return int(float(_number(asked)))
        case "number":
            return float(_number(asked))
        case "boolean":
            return True
        case "array":
            return [_guess(schema.get("items", {}), asked, next_name)]
        case "object":
            return {}
    try:
        return next_name()
    except StopIteration:
        return asked


def _number(asked: str) -> str:
    found = NUMBER.search(asked)
    return found.group() if found else "1"


def _named(asked: str) -> list[str]:
    """Quoted words, names and numbers, in the order they are said."""
    return [next(part for part in found if part) for found in NAMED.findall(asked)]


def _best(asked: str, tools: Sequence[Tool]) -> tuple[float, Tool | None]:
    """The first of the tools with the most overlap."""
    words = WordOverlap(tools)
    ranked = [(words.overlap(asked, tool), tool) for tool in tools]
    return max(ranked, key=lambda pair: pair[0], default=(0.0, None))


def _line(text: str) -> str:
    return " ".join(text.split())
