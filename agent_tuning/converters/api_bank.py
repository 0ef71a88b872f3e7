"""API-Bank's dialogues: a row is a dialogue up to one decision, which alone is trained.

`instruction` lists the tools, one JSON object a line; `input` is the dialogue, in lines that begin
with `User:`, `AI:` or `API-Request:`; `output` is the decision. What the AI says right before a
request is its thought, a sentence by a person for every call. The prompt of API-Bank itself is left
out, but for the sentence that says which day it is.
"""

import ast
import re
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from agent_tuning.converters import (
    python_literals,
    python_types,
    row_fields,
    row_parts,
    rows,
    schemas,
)
from agent_tuning.files import strict_json
from agent_tuning.records import Assistant, Call, Group, Json, Tool, ToolResult, Turn, User

SPEAKER = re.compile(r"^(User|AI|API-Request): ?", re.MULTILINE)
QUESTION = re.compile(
    r"\n?Generate (?:an? )?(?:API Request|AI Response|Response):?\s*$", re.IGNORECASE
)
TODAY = re.compile(r"^The current (?:year|date|day|time) is [^{}\n]+$", re.MULTILINE)
ARROW = "]->"
RESULT_FIELDS = ("output_parameters", "response")  # what a tool gives back; nothing reads it


class Row(msgspec.Struct):
    instruction: str
    input: str
    output: str | None = None
    expected_output: str | None = None
    IGNORED: ClassVar = row_fields.ABOUT_A_ROW | {"file", "sample_id", "api_id"}


class _ToolLine(msgspec.Struct):
    name: str = ""
    code: str = msgspec.field(name="apiCode", default="")
    description: str = ""
    inputs: dict[str, Json] = msgspec.field(name="input_parameters", default={})
    parameters: dict[str, Json] = {}


def read(row: Row) -> Group:
    """A group of one. Raises ValueError with field and problem."""
    output = row.output or row.expected_output
    if not output:
        raise ValueError("output: expected the decision")
    first = SPEAKER.search(row.input)
    before = row.input[: first.start()] if first else row.input
    tools = [*_read_tools(row.instruction, "instruction"), *_read_tools(before, "input")]
    dialogue = QUESTION.sub("", row.input[first.start() :]) if first else ""
    decided = list(_read_turns(output.strip(), "output"))
    if not decided or not isinstance(decided[-1], Assistant):
        raise ValueError("output: expected AI: or API-Request:")
    *before_it, last = rows.join_thoughts([*_read_turns(dialogue, "input"), *decided])
    context = map(_forget, before_it)
    today = TODAY.search(row.instruction)
    system = rows.System(today.group() if today else "")
    return rows.build_group([system, *context, last], tools, "")


def _read_tools(text: str, field: str) -> Iterator[Tool]:
    """The tools in the lines of a text that are JSON objects."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("{"):
            continue
        place = f"{field}: line {number}"
        value = strict_json.decode_text(line, place)
        known = {key: part for key, part in value.items() if key not in RESULT_FIELDS}
        fields = row_fields.convert(known, _ToolLine)
        named = python_types.read_parameters(fields.inputs or fields.parameters, place)
        parameters = schemas.read_parameters(named, place)
        yield Tool(fields.name or fields.code, fields.description, parameters)


def _read_turns(text: str, field: str) -> Iterator[Turn]:
    """What each speaker says, in order; a text goes on until the next speaker."""
    starts = list(SPEAKER.finditer(text))
    ends = [*(start.start() for start in starts[1:]), len(text)]
    for start, end in zip(starts, ends, strict=False):
        said = text[start.end() : end].strip()
        place = f"{field}: {start.group(1)}"
        match start.group(1):
            case "User":
                yield User(said)
            case "AI":
                yield row_parts.build_answer(said)
            case _:
                yield from _read_request(said, place)


def _read_request(text: str, place: str) -> Iterator[Turn]:
    """`[Name(key='value')]->result`, or without a result."""
    request, arrow, result = text.partition(ARROW)
    calls = _read_calls(request + "]" if arrow else request, place)
    yield Assistant("call", calls=calls)
    if arrow:
        values = [_read_literal(result.strip())]
        for outcome in row_parts.build_results(calls, values, place):
            yield ToolResult(outcome.name, outcome.content)


def _read_calls(text: str, place: str) -> tuple[Call, ...]:
    try:
        node = python_literals.parse(text)
        listed = node.elts if isinstance(node, ast.List) else [node]
        calls = tuple(map(_read_call, listed))
    except (ValueError, RecursionError) as error:
        shown = strict_json.shorten(text)
        raise ValueError(f"{place}: expected [Name(key='value')], found {shown}") from error
    if not calls:
        raise ValueError(f"{place}: expected a call")
    return calls


def _read_call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError(ast.unparse(node))
    given = python_literals.read_pairs(
        [keyword.arg for keyword in node.keywords], [keyword.value for keyword in node.keywords]
    )
    strict_json.check(given)
    return Call(ast.unparse(node.func), given)


def _read_literal(text: str) -> Json:
    """A result as Python or JSON writes it, or else its text."""
    try:
        value = python_literals.read_node(python_literals.parse(text))
        strict_json.check(value)
    except ValueError:
        value = None
    return row_parts.read_observation(text) if value is None or isinstance(value, float) else value


def _forget(turn: Turn) -> Turn:
    """Context only: other rows train the earlier decisions."""
    return msgspec.structs.replace(turn, trained=False) if isinstance(turn, Assistant) else turn
