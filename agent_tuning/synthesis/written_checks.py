"""What makes a written example unfit for training. Each check gives `reason: detail`.

People write the examples by hand, so all that a machine can tell is told: a value that nobody said
would teach the model to make values up.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.quality.validation import RepetitionFilter
from agent_tuning.records import Call, Decision, Json, Tool, User
from agent_tuning.synthesis.spoken_numbers import find_numbers
from agent_tuning.synthesis.written_examples import NumberedExample, WrittenExample

CLOCK_TIME = re.compile(r"\d\d:\d\d")
CALL_KINDS = ("call", "multi", "chain", "follow_up")


class ExampleChecks:
    """The checks of one example by itself; `tools` are all that a prompt will list."""

    def __init__(self, tools: Sequence[Tool], contamination: ContaminationFilter) -> None:
        self.tools = tools
        self.contamination = contamination
        self._properties = {tool.name: tool.parameters.get("properties", {}) for tool in tools}

    def find_problem(self, example: WrittenExample) -> str | None:
        """The first reason why this example must not be trained on; None if it is sound."""
        return next(self._check_example(example), None)

    def _check_example(self, example: WrittenExample) -> Iterator[str]:
        if not normalize_tokens(example.query):
            yield "no_query: the user says nothing"
        yield from _check_kind(example)
        for calls in (example.calls, *example.also_right):
            for call in calls:
                if problem := schema.find_call_problem(call, self.tools):
                    yield problem
                yield from self._check_values(call, example)
        for query in list_queries(example):
            if leak := self.contamination.find_leak(query, self._properties):
                yield f"benchmark_overlap: {leak.reason}: {leak.task}: {query}"

    def _check_values(self, call: Call, example: WrittenExample) -> Iterator[str]:
        """Every value must have been said."""
        said = join_said(example)
        for name, value in call.arguments.items():
            for item in value if isinstance(value, list) else [value]:
                if not self.is_free_text(call.name, name, item):
                    continue
                if isinstance(item, str) and item not in said:
                    yield f"unsaid_value: {call.name}.{name}: {item!r}"
                if isinstance(item, int | float) and float(item) not in find_numbers(said):
                    yield f"unsaid_number: {call.name}.{name}: {item!r}"

    def is_free_text(self, tool: str, parameter: str, value: Json) -> bool:
        """Does the value stand in the text as it is? Members of an enum, truth values and times
        of day may be worded in any way."""
        declared = self._properties.get(tool, {}).get(parameter, {})
        if "enum" in declared.get("items", declared) or isinstance(value, bool):
            return False
        return not (isinstance(value, str) and CLOCK_TIME.fullmatch(value))


def find_problems(
    examples: Sequence[NumberedExample], checks: ExampleChecks, near_duplicate: float
) -> dict[str, str]:
    """The unfit examples: id -> `reason: detail`. Of those that repeat each other the first stays.

    `near_duplicate` (0-1) is the similarity from which two queries with the same calls are one.
    """
    repetitions = RepetitionFilter(near_duplicate)
    problems: dict[str, str] = {}
    for id, example in examples:
        calls = msgspec.json.encode(example.calls, order="sorted").decode()
        problem = checks.find_problem(example) or repetitions.find_problem(
            "\n".join(list_queries(example)), calls
        )
        if problem:
            problems[id] = problem
    return problems


def list_queries(example: WrittenExample) -> tuple[str, ...]:
    """All that the user says, in order."""
    return tuple(turn.text for turn in example.before if isinstance(turn, User))


def join_said(example: WrittenExample) -> str:
    """All that was said up to the decision."""
    return "\n".join([*(message.content for message in example.history), example.query])


def find_decision(kind: str) -> Decision:
    """The only decision that fits a kind."""
    if kind in CALL_KINDS:
        return "call"
    return "ask" if kind == "missing_argument" else "no_call"


def _check_kind(example: WrittenExample) -> Iterator[str]:
    kind, calls = example.kind, len(example.calls)
    if example.decision != find_decision(kind):
        yield f"wrong_decision: {kind} with {example.decision}"
    if (kind == "multi" and calls < 2) or (kind in ("call", "chain") and calls > 1):
        yield f"wrong_number_of_calls: {kind} with {calls}"
    if kind == "follow_up" and not example.history:
        yield "no_history: follow_up needs what was said before"
