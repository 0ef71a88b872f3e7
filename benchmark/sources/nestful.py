"""NESTFUL's published files as items: queries for several calls that use each other's results.

A value such as `$var1.city$` is a reference: the field `city` of the first call's result. The suite
is NESTFUL-derived: the tool lists are ours (`sources/distractors.py`), the query ends with an
instruction how to write a reference, and every order in which the calls can be made is right.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.catalogue import schema as json_schema
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import BadInput, Json, Record, Tool
from agent_tuning.runtime.ranges import AtLeastOne
from benchmark.sources import bfcl, distractors
from benchmark.sources.bfcl import Item, UnusableItem
from benchmark.tasks.suites import REFERENCE, Gold, GoldCall, Suite, Task

T = TypeVar("T")

RESULT_STEP = "var_result"  # NESTFUL's last entry gathers what is shown to the user; it is no call
TYPES = ("string", "number", "integer", "boolean", "array", "object")
REFERENCE_INSTRUCTION = (
    "Plan all calls in one answer, in the order in which they run. "
    "Where a value comes from an earlier call, write $varN.field$: $var1.id$ is id of the first."
)


class Parameter(Record, frozen=True, forbid_unknown_fields=False):
    description: str = ""
    type: str = ""
    required: bool = False
    enum: tuple[Json, ...] = ()
    allowed_values: tuple[Json, ...] = ()
    default: Json = None
    default_value: Json = None
    items: dict[str, Json] | None = None

    @property
    def omitted(self) -> Json:
        """The value that the tool uses where the argument is omitted."""
        return self.default if self.default_value is None else self.default_value

    def schema(self) -> dict[str, Json]:
        schema: dict[str, Json] = {"type": self.type} if self.type in TYPES else {}
        if self.description:
            schema["description"] = self.description
        if choices := self.enum or self.allowed_values:
            schema["enum"] = list(choices)
        if self.items and self.items.get("type") in TYPES:
            schema["items"] = {"type": self.items["type"]}
        return schema


class ToolSpec(Record, frozen=True, forbid_unknown_fields=False):
    """A tool in *-spec.json."""

    name: str
    description: str
    query_parameters: dict[str, Parameter] = {}
    output_parameters: dict[str, Json] = {}

    def tool(self, max_chars: int) -> Tool:
        schema = {
            "type": "object",
            "properties": {name: p.schema() for name, p in self.query_parameters.items()},
            "required": [name for name, p in self.query_parameters.items() if p.required],
        }
        returns = f" Returns {', '.join(self.output_parameters)}." * bool(self.output_parameters)
        tool = Tool(self.name, f"{self.description.strip()}{returns}", schema)
        return bfcl.convert_tool(tool, max_chars)


class Step(Record, frozen=True):
    name: str
    arguments: dict[str, Json] = {}
    label: str = ""


class Question(Record, frozen=True):
    """An entry of *-data.json."""

    input: str
    output: tuple[Step, ...]


class Limits(Record, frozen=True):
    """The largest sizes of an item, and the most orders in which its calls may be right."""

    max_tool_chars: AtLeastOne
    max_query_chars: AtLeastOne
    max_orders: AtLeastOne


def build_items(folder: Path, limits: Limits) -> tuple[list[Item], Counter[str]]:
    """Usable items of every *-data.json with its *-spec.json, and how many were dropped and why."""
    kept: dict[tuple[str, ...], Item] = {}
    dropped: Counter[str] = Counter()
    for name, question, specs in _list_questions(folder):
        try:
            item = _build_item(name, question, specs, limits)
            if kept.setdefault(normalize_tokens(item.query), item) is not item:
                raise UnusableItem("query repeats another")
        except UnusableItem as reason:
            dropped[str(reason)] += 1
    if not kept:
        raise BadInput(f"{folder}: expected usable *-data.json with their *-spec.json")
    return list(kept.values()), dropped


def _list_questions(folder: Path) -> Iterator[tuple[str, Question, dict[str, ToolSpec]]]:
    """Every question with its name and tools. The order of lines does not change the names."""
    for path in sorted(folder.glob("*-data.json")):
        source = path.name.removesuffix("-data.json")
        specs = {spec.name: spec for spec in _read(folder / f"{source}-spec.json", ToolSpec)}
        questions = sorted(_read(path, Question), key=lambda question: question.input)
        for number, question in enumerate(questions):
            yield f"{source}_{number}", question, specs


def _read(path: Path, kind: type[T]) -> list[T]:
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[Json])
        return [msgspec.convert(entry, kind) for entry in entries]
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadInput(f"{path}: {error}") from error


def _build_item(
    name: str, question: Question, specs: Mapping[str, ToolSpec], limits: Limits
) -> Item:
    if len(question.input) > limits.max_query_chars:
        raise UnusableItem("query too long")
    steps = [step for step in question.output if step.name != RESULT_STEP]
    if len(steps) < 2:
        raise UnusableItem("fewer than two calls")
    if [step.label for step in steps] != [f"var{number + 1}" for number in range(len(steps))]:
        raise UnusableItem("labels are not var1, var2, … in order")
    if any(step.name not in specs for step in steps):
        raise UnusableItem("gold calls a tool that is not specified")
    golds = tuple(_build_gold(step, steps[:number], specs) for number, step in enumerate(steps))
    if len(list(islice(list_orders(golds), limits.max_orders + 1))) > limits.max_orders:
        raise UnusableItem("more than max_orders valid orders of calls")
    tools = {step.name: specs[step.name].tool(limits.max_tool_chars) for step in steps}
    return Item(
        name, f"{question.input.strip()}\n\n{REFERENCE_INSTRUCTION}", tuple(tools.values()), golds
    )


def _build_gold(step: Step, earlier: Sequence[Step], specs: Mapping[str, ToolSpec]) -> GoldCall:
    declared = specs[step.name].query_parameters
    if step.arguments.keys() - declared.keys():
        raise UnusableItem("gold has an argument that its tool does not declare")
    if {name for name, p in declared.items() if p.required} - step.arguments.keys():
        raise UnusableItem("gold omits a required argument")
    for name, value in step.arguments.items():
        if not REFERENCE.search(str(value)):
            if not json_schema.build_validator(declared[name].schema()).is_valid(value):
                raise UnusableItem("gold does not fit its schema")
        elif not all(_is_given(ref, earlier, specs) for ref in REFERENCE.finditer(str(value))):
            raise UnusableItem("gold refers to a field that no earlier call returns")
    optional = tuple(
        name
        for name, value in step.arguments.items()
        if not declared[name].required and value == declared[name].omitted
    )
    return GoldCall(step.name, {n: (v,) for n, v in step.arguments.items()}, optional)


def _is_given(
    reference: re.Match[str], earlier: Sequence[Step], specs: Mapping[str, ToolSpec]
) -> bool:
    """Whether one of the `earlier` calls returns the field."""
    number, field = int(reference["call"]), reference["field"]
    if not 1 <= number <= len(earlier):
        return False
    return not field or field in specs[earlier[number - 1].name].output_parameters


def derive_suite(
    name: str, items: Sequence[Item], config: distractors.DistractorsConfig
) -> tuple[Suite, Counter[str]]:
    """The suite of the items, and how many could not be used for which reason."""
    suite, unused = distractors.derive_suite(name, items, config)
    return replace(suite, tasks=tuple(map(_accept_all_orders, suite.tasks))), unused


def _accept_all_orders(task: Task) -> Task:
    golds = tuple(Gold("call", calls=calls) for calls in list_orders(task.golds[0].calls))
    return msgspec.structs.replace(task, golds=golds, kind="nested")


def list_orders(calls: Sequence[GoldCall]) -> Iterator[tuple[GoldCall, ...]]:
    """Yield every order in which each call comes after those it refers to.

    References are renumbered for the order.
    """
    needs = [
        {int(reference["call"]) - 1 for reference in REFERENCE.finditer(str(call.arguments))}
        for call in calls
    ]
    for order in permutations(range(len(calls))):
        position = {number: index for index, number in enumerate(order)}
        if all(position[needed] < position[number] for number in order for needed in needs[number]):
            yield tuple(_renumber(calls[number], position) for number in order)


def _renumber(call: GoldCall, position: Mapping[int, int]) -> GoldCall:
    def rewrite(reference: re.Match[str]) -> str:
        old = reference["call"]
        return reference[0].replace(f"var{old}", f"var{position[int(old) - 1] + 1}", 1)

    arguments = {
        name: tuple(_rewrite_references(value, rewrite) for value in accepted)
        for name, accepted in call.arguments.items()
    }
    return msgspec.structs.replace(call, arguments=arguments)


def _rewrite_references(value: Json, rewrite: Callable[[re.Match[str]], str]) -> Json:
    if isinstance(value, str):
        return REFERENCE.sub(rewrite, value)
    if isinstance(value, list | tuple):
        return [_rewrite_references(inner, rewrite) for inner in value]
    if isinstance(value, dict):
        return {name: _rewrite_references(inner, rewrite) for name, inner in value.items()}
    return value
