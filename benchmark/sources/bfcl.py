"""BFCL's published lines as items with JSON Schema tools and golds; unusable ones are counted.

The result is BFCL-derived, never BFCL: `sources/distractors.py` gives the items other tool lists.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import jsonschema_rs
import msgspec

from agent_tuning.catalogue import schema as json_schema
from agent_tuning.files import jsonl
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import BadInput, Json, Record, Tool
from agent_tuning.runtime.ranges import AtLeastOne
from benchmark.tasks.suites import GoldCall

TYPES = {"dict": "object", "float": "number", "tuple": "array"}
KEYWORDS = frozenset(
    [
        "type",
        "description",
        "enum",
        "default",
        "required",
        "properties",
        "items",
        "format",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
    ]
)
LATIN_END = 0x24F  # the last letter of Latin Extended-B
OMITTED = ""  # stands among the accepted values of an argument that may be omitted


class Message(Record, frozen=True):
    role: str
    content: str


class Question(Record, frozen=True):
    """A line of BFCL_v4_*.json."""

    id: str
    question: tuple[tuple[Message, ...], ...]
    function: tuple[Tool, ...]


class Answer(Record, frozen=True):
    """A line of possible_answer/BFCL_v4_*.json: per call, the accepted values of each argument."""

    id: str
    ground_truth: tuple[dict[str, dict[str, tuple[Json, ...]]], ...]


class Limits(Record, frozen=True):
    """The largest sizes of an item, so that prompts stay short."""

    max_tool_chars: AtLeastOne
    max_query_chars: AtLeastOne
    max_accepted: AtLeastOne


@dataclass(frozen=True)
class Item:
    """A query with the tools that its author offered, and the gold calls, if any."""

    id: str
    query: str
    tools: tuple[Tool, ...]
    golds: tuple[GoldCall, ...] = ()


class UnusableItem(ValueError):
    """Why an item cannot be used."""


def read(
    folder: Path, calls: Iterable[str], no_calls: Iterable[str]
) -> tuple[list[Question], dict[str, Answer]]:
    """The questions of all categories, and the answers of those that are calls."""
    questions: list[Question] = []
    answers: dict[str, Answer] = {}
    for category in calls:
        path = folder / f"BFCL_v4_{category}.json"
        questions += jsonl.read(path, Question)
        golds = folder / "possible_answer" / path.name
        answers.update((answer.id, answer) for answer in jsonl.read(golds, Answer))
        if missing := [question.id for question in questions if question.id not in answers]:
            raise BadInput(f"{golds}: no answer to {missing[0]!r}")
    for category in no_calls:
        questions += jsonl.read(folder / f"BFCL_v4_{category}.json", Question)
    return questions, answers


def build_items(
    questions: Iterable[Question], answers: Mapping[str, Answer], limits: Limits
) -> tuple[list[Item], Counter[str]]:
    """Usable items ordered by id, and how many were dropped for which reason.

    A question with an answer is a call, one without is a no-call.
    """
    ordered = sorted(questions, key=lambda question: question.id)
    calls = {_normalize_last_turn(question) for question in ordered if question.id in answers}
    no_calls = {
        _normalize_last_turn(question) for question in ordered if question.id not in answers
    }
    dropped: Counter[str] = Counter()
    kept: dict[tuple[str, ...], Item] = {}
    for question in ordered:
        try:
            item = _build_item(question, answers.get(question.id), limits)
            if (words := normalize_tokens(item.query)) in calls & no_calls:
                raise UnusableItem("query is both a call and a no-call")
            if kept.setdefault(words, item) is not item:
                raise UnusableItem("query repeats another")
        except UnusableItem as reason:
            dropped[str(reason)] += 1
    return list(kept.values()), dropped


def _normalize_last_turn(question: Question) -> tuple[str, ...]:
    return normalize_tokens(" ".join(turns[-1].content for turns in question.question if turns))


def _build_item(question: Question, answer: Answer | None, limits: Limits) -> Item:
    query = _read_query(question, limits.max_query_chars)
    if answer is None:
        return Item(question.id, query, _convert_offered(question.function, limits))
    if not answer.ground_truth or any(len(calls) != 1 for calls in answer.ground_truth):
        raise UnusableItem("gold is not a list of calls")
    gold_calls = [call for calls in answer.ground_truth for call in calls.items()]
    offered = {tool.name: tool for tool in reversed(question.function)}
    if any(name not in offered for name, _ in gold_calls):
        raise UnusableItem("gold calls a tool that is not offered")
    called = {name: convert_tool(offered[name], limits.max_tool_chars) for name, _ in gold_calls}
    golds = (
        convert_gold(called[name], accepted, limits.max_accepted) for name, accepted in gold_calls
    )
    others = [tool for tool in question.function if tool.name not in called]
    tools = (*called.values(), *_convert_usable(others, limits))
    return Item(question.id, query, tools, tuple(golds))


def _read_query(question: Question, limit: int) -> str:
    turns = [message for messages in question.question for message in messages]
    if [turn.role for turn in turns] != ["user"]:
        raise UnusableItem("not a single user turn")
    query = turns[0].content.strip()
    if not normalize_tokens(query):
        raise UnusableItem("empty query")
    if len(query) > limit:
        raise UnusableItem("query too long")
    if any(letter.isalpha() and ord(letter) > LATIN_END for letter in query):
        raise UnusableItem("query not in Latin script")
    return query


def _convert_offered(offered: Sequence[Tool], limits: Limits) -> tuple[Tool, ...]:
    if not offered:
        raise UnusableItem("no tools offered")
    if len(offered) == 1:  # the reason why its only tool is unusable is the item's too
        return (convert_tool(offered[0], limits.max_tool_chars),)
    if not (tools := _convert_usable(offered, limits)):
        raise UnusableItem("no usable tool offered")
    return tools


def _convert_usable(offered: Iterable[Tool], limits: Limits) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for tool in offered:
        with suppress(UnusableItem):
            tools.append(convert_tool(tool, limits.max_tool_chars))
    return tuple(tools)


def convert_tool(tool: Tool, max_chars: int) -> Tool:
    """The same tool with a valid JSON Schema (draft 2020-12). Raises UnusableItem."""
    schema = convert_schema(tool.parameters)
    if schema.get("type") != "object" or not jsonschema_rs.meta.is_valid(schema):
        raise UnusableItem("tool has no valid JSON Schema")
    if set(schema.get("required", ())) - set(schema.get("properties", ())):
        raise UnusableItem("tool requires an argument that it does not declare")
    converted = Tool(tool.name, tool.description.strip(), schema)
    if len(msgspec.json.encode(converted).decode()) > max_chars:
        raise UnusableItem("tool too long")
    return converted


def convert_schema(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Replace BFCL's own types (dict, float, tuple, any) and drop its own keywords (optional)."""
    out = {key: value for key, value in schema.items() if key in KEYWORDS}
    if out.get("type") == "any":
        del out["type"]
    elif isinstance(kind := out.get("type"), str):
        out["type"] = TYPES.get(kind, kind)
    if isinstance(properties := out.get("properties"), dict):
        out["properties"] = {name: convert_schema(inner) for name, inner in properties.items()}
    if isinstance(inner := out.get("items"), dict):
        out["items"] = convert_schema(inner)
    return out


def convert_gold(tool: Tool, accepted: Mapping[str, Sequence[Json]], limit: int) -> GoldCall:
    """The gold with the accepted values that fit the schema in the prompt. Raises UnusableItem."""
    properties = tool.parameters.get("properties", {})
    if set(accepted) - set(properties):
        raise UnusableItem("gold has an argument that its tool does not declare")
    arguments: dict[str, tuple[Json, ...]] = {}
    optional: list[str] = []
    for name, values in accepted.items():
        fits = json_schema.build_validator(properties[name]).is_valid
        arguments[name] = tuple(_list_fitting(values, fits, limit))
        if OMITTED in values:
            optional.append(name)
        elif not arguments[name]:
            raise UnusableItem("gold does not fit its schema")
    if set(tool.parameters.get("required", ())) - (set(accepted) - set(optional)):
        raise UnusableItem("gold may omit a required argument")
    given = {name: values for name, values in arguments.items() if values}
    return GoldCall(tool.name, given, tuple(name for name in optional if name in given))


def _list_fitting(
    values: Sequence[Json], fits: Callable[[Json], bool], limit: int
) -> Iterator[Json]:
    for value in values:
        for expanded in _expand(value, limit):
            # A listed null stays: BFCL accepts a null that is written in place of a default.
            if expanded is None or fits(expanded):
                yield expanded


def _expand(value: Json, limit: int) -> Iterator[Json]:
    """A gold object holds accepted values per key: yield all the objects that it stands for."""
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        raise UnusableItem("gold is nested too deep")
    if not isinstance(value, dict):
        yield value
        return
    choices = [[(key, choice) for choice in _list_choices(inner)] for key, inner in value.items()]
    if math.prod(map(len, choices)) > limit:
        raise UnusableItem("gold accepts more than max_accepted objects")
    for pairs in product(*choices):
        yield {key: choice for key, choice in pairs if choice != OMITTED}


def _list_choices(inner: Json) -> list[Json]:
    if not isinstance(inner, list) or any(isinstance(choice, dict) for choice in inner):
        raise UnusableItem("gold is nested too deep")
    return inner
