"""How a chat model's reply becomes written examples, and what is wrong with those that do not."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.chat_model.messages import Reply, UnusableReply
from agent_tuning.prompts.formats import MalformedReply, native
from agent_tuning.prompts.formats.reading import read_json_object
from agent_tuning.quality.validation import list_leaves
from agent_tuning.records import Call, Json, Record
from agent_tuning.synthesis.wording_requests import Assignment
from agent_tuning.synthesis.written_checks import ExampleChecks, find_decision, find_problems
from agent_tuning.synthesis.written_examples import NumberedExample, SpokenMessage, WrittenExample

# How a thought begins or ends, by decision: all examples that people wrote do so.
THOUGHTS = {
    "call": re.compile(r"I should \S"),
    "ask": re.compile(r"\S.* (?:is|are) missing\.?$"),
    "no_call": re.compile(r"No tool is needed: \S"),
}


class AskedBack(Record, frozen=True):
    """The second half of a pair: the value is left out, and the assistant asks for it."""

    query: str
    thought: str
    text: str


class Item(Record, frozen=True):
    """One example as a chat model writes it; its kind says which fields it has."""

    query: str
    thought: str
    calls: tuple[Call, ...] = ()
    text: str = ""
    first: str = ""
    question: str = ""
    argument: str = ""
    without: AskedBack | None = None


class Draft(NamedTuple):
    """One example, or a pair that stays together, and why it is unfit: "" if it is sound."""

    examples: tuple[WrittenExample, ...]
    problem: str = ""

    @property
    def size(self) -> int:
        """How many examples it counts for; one that could not be read is one."""
        return max(1, len(self.examples))

    def describe_problem(self) -> str:
        """For the chat model, which shall write a better one."""
        said = " / ".join(example.query for example in self.examples)
        return f"{said}: {self.problem}" if said else self.problem


def read_drafts(reply: Reply, assignment: Assignment, count: int) -> list[Draft]:
    """The first `count` examples of a reply. If it cannot be read, all of them are unfit."""
    try:
        text = reply.text()
        value, _ = read_json_object(text, max(text.find("{"), 0))
        items = msgspec.convert(value.get("examples"), list[Json])
    except UnusableReply as error:
        return [Draft((), f"{error.reason}: the whole reply")] * count
    except (MalformedReply, msgspec.ValidationError):
        return [Draft((), "malformed: the reply is not the JSON object that was asked for")] * count
    return [read_draft(item, assignment) for item in items[:count]]


def read_draft(value: Json, assignment: Assignment) -> Draft:
    """One example of a reply, after the checks that need nothing but the assignment."""
    try:
        item = msgspec.convert(value, Item)
        examples = tuple(_write_examples(item, assignment))
    except ValueError as error:  # of msgspec, or of an example that contradicts itself
        return Draft((), f"malformed: {error}")
    return Draft(examples, next(_check_item(item, examples, assignment), ""))


def check_drafts(
    drafts: Sequence[Draft],
    known: Sequence[WrittenExample],
    checks: ExampleChecks,
    near_duplicate: float,
) -> list[Draft]:
    """The drafts with what the checks of all written examples find; `known` came before them."""
    numbered = [NumberedExample(f"known.{n}", example) for n, example in enumerate(known)]
    for n, draft in enumerate(drafts):
        if not draft.problem:
            numbered += [NumberedExample(f"{n}.{m}", one) for m, one in enumerate(draft.examples)]
    problems = find_problems(numbered, checks, near_duplicate)

    def check_draft(n: int, draft: Draft) -> Draft:
        found = (problems.get(f"{n}.{m}") for m in range(len(draft.examples)))
        return draft._replace(problem=draft.problem or next(filter(None, found), ""))

    return [check_draft(n, draft) for n, draft in enumerate(drafts)]


def _write_examples(item: Item, assignment: Assignment) -> Iterator[WrittenExample]:
    """Raises ValueError if a decision contradicts its calls or its text."""
    kind = assignment.kind
    if kind == "missing_argument":
        if item.without is None:
            raise ValueError("a pair without its second half")
        yield _write_example(item, "call")
        second = Item(item.without.query, item.without.thought, text=item.without.text)
        yield _write_example(second, "missing_argument")
    else:
        yield _write_example(item, kind)


def _write_example(item: Item, kind: str) -> WrittenExample:
    said = (("user", item.first), ("assistant", item.question)) if kind == "follow_up" else ()
    return WrittenExample(
        query=item.query.strip(),
        kind=kind,  # type: ignore[arg-type]
        decision=find_decision(kind),
        thought=" ".join(item.thought.split()),
        calls=item.calls,
        text=item.text.strip(),
        history=tuple(SpokenMessage(role, text.strip()) for role, text in said),  # type: ignore[arg-type]
    )


def _check_item(
    item: Item, examples: Sequence[WrittenExample], assignment: Assignment
) -> Iterator[str]:
    called = sorted(call.name for call in item.calls)
    wanted = sorted(tool.name for tool in assignment.tools)
    if item.calls and called != wanted:
        yield f"other_tools: {', '.join(called)}, expected {', '.join(wanted)}"
    for example in examples:
        if not THOUGHTS[example.decision].match(example.thought):
            yield f"thought_form: {example.thought}"
        # One rule tells a question from a reply, here and in a model's answers.
        if problem := native.find_problem(example.answer):
            yield f"text_form: {problem}"
    for question in _list_questions(item, examples):
        if question.count("?") != 1 or not native.is_question(question):
            yield f"text_form: expected one question: {question}"
    if item.without is not None:
        yield from _check_pair(item, item.without, assignment)


def _list_questions(item: Item, examples: Sequence[WrittenExample]) -> Iterator[str]:
    yield from (example.text for example in examples if example.decision == "ask")
    if item.question:
        yield item.question


def _check_pair(item: Item, without: AskedBack, assignment: Assignment) -> Iterator[str]:
    """A required value stands in one half and not in the other."""
    if item.argument not in assignment.required:
        yield f"wrong_pair: {item.argument} is not required"
    value = item.calls[0].arguments.get(item.argument)
    for leaf in list_leaves(value):
        said = rf"(?<!\w){re.escape(str(leaf))}(?!\w)"
        if not isinstance(leaf, bool) and re.search(said, without.query, re.IGNORECASE):
            yield f"wrong_pair: {item.argument} is not left out: {leaf}"
