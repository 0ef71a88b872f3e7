"""Rules that answer without a model. A tuned model has to beat all of them.

They write in the prompt's reply format, so that their answers are parsed and scored as a model's.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.quality.word_overlap import WordOverlap, fold_text
from agent_tuning.records import Assistant, Call, Json, PromptSpec, Tool
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Task

Baseline = Callable[[Task, PromptSpec], str]

NO_TOOL = {"en": "No tool is needed.", "zh": "不需要工具。"}
LEXICAL_THRESHOLD = (
    0.2  # the overlap from which the lexical matcher calls: near its best on training data
)
NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
QUOTED = r"[\"“「『‘]([^\"”」』’]+)[\"”」』’]"
CAPITAL = r"(?<=[a-z,] )([A-Z]\w*(?: [A-Z]\w*)*)"  # not the first word of a sentence
NAMED = re.compile(f"{QUOTED}|{CAPITAL}|({NUMBER.pattern})")


def always_none(_: Task, prompt: PromptSpec) -> str:
    return write_turn(prompt, _build_no_call(prompt))


def always_first(task: Task, prompt: PromptSpec) -> str:
    tools = prompt.tools
    return write_turn(
        prompt, _build_call(tools[0], last_user_text(task), ()) if tools else _build_no_call(prompt)
    )


def random(task: Task, prompt: PromptSpec) -> str:
    """Any tool of the list or none, each as likely."""
    choice = Random(task.id).choice([None, *prompt.tools])
    return write_turn(
        prompt, _build_call(choice, last_user_text(task), ()) if choice else _build_no_call(prompt)
    )


def lexical(task: Task, prompt: PromptSpec) -> str:
    """The tool that shares most words with the query, if it shares enough."""
    query = last_user_text(task)
    overlap, tool = _find_best_tool(query, prompt.tools)
    if tool is None or overlap < LEXICAL_THRESHOLD:
        return write_turn(prompt, _build_no_call(prompt))
    return write_turn(prompt, _build_call(tool, query, _find_names(query)))


def echo_query(task: Task, prompt: PromptSpec) -> str:
    """Shows what the text score gives for repeating the user."""
    query = last_user_text(task)
    return write_turn(prompt, Assistant("no_call", _join_lines(query), text=query))


def echo_description(task: Task, prompt: PromptSpec) -> str:
    """Shows what the text score gives for repeating the tool list."""
    tool = _find_best_tool(last_user_text(task), prompt.tools)[1]
    if tool is None:
        return write_turn(prompt, _build_no_call(prompt))
    return write_turn(
        prompt, _build_call(tool, last_user_text(task), (), _join_lines(tool.description))
    )


def malformed(task: Task, prompt: PromptSpec) -> str:
    """A call of the first tool, cut off in the middle of its arguments."""
    whole = always_first(task, prompt)
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


def write_turn(prompt: PromptSpec, turn: Assistant) -> str:
    """The text of a turn, in the reply format that the prompt asks for.

    Where the format cannot write the text of a refusal, such as a question, it is the plain one.
    """
    form = REPLY_FORMATS[prompt.reply_format]
    if turn.decision == "no_call" and form.find_problem(turn):
        turn = msgspec.structs.replace(turn, text=NO_TOOL[prompt.language])
    return form.write(turn)


def _build_no_call(prompt: PromptSpec) -> Assistant:
    return Assistant("no_call", text=NO_TOOL[prompt.language])


def _build_call(tool: Tool, query: str, names: Sequence[str], thought: str = "") -> Assistant:
    properties = tool.parameters.get("properties", {})
    required = [name for name in tool.parameters.get("required", []) if name in properties]
    unused = iter(names)
    given = {name: _guess_value(properties[name], query, unused) for name in required}
    return Assistant("call", thought, (Call(tool.name, given),))


def _guess_value(schema: Json, query: str, names: Iterator[str]) -> Json:
    """A value of the right type, out of the query where it can be."""
    if not isinstance(schema, dict):  # `true`: anything
        return next(names, query)
    if "enum" in schema:
        mentioned = [value for value in schema["enum"] if fold_text(str(value)) in fold_text(query)]
        return (mentioned or schema["enum"])[0]
    match schema.get("type"):
        case "integer":
            return int(float(_find_number(query)))
        case "number":
            return float(_find_number(query))
        case "boolean":
            return True
        case "array":
            return [_guess_value(schema.get("items", {}), query, names)]
        case "object":
            return {}
    return next(names, query)


def _find_number(query: str) -> str:
    match = NUMBER.search(query)
    return match.group() if match else "1"


def _find_names(query: str) -> list[str]:
    """Quoted words, names and numbers, in their order in the query."""
    return [next(part for part in groups if part) for groups in NAMED.findall(query)]


def _find_best_tool(query: str, tools: Sequence[Tool]) -> tuple[float, Tool | None]:
    """The tool with the highest overlap and that overlap (0-1); the first one of equals."""
    words = WordOverlap(tools)
    ranked = [(words.overlap(query, tool), tool) for tool in tools]
    return max(ranked, key=lambda pair: pair[0], default=(0.0, None))


def _join_lines(text: str) -> str:
    return " ".join(text.split())
