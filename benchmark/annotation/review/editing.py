"""The query and golds of a posted form; the problem of a field if any."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import Call, Decision, Json, Tool
from benchmark.annotation.review import descriptions
from benchmark.annotation.review.gold_form import (
    Argument,
    CallForm,
    Form,
    GoldForm,
    parse_gold_forms,
    read_lines,
)
from benchmark.annotation.review.value_text import parse_values
from benchmark.tasks.suites import Gold, GoldCall


class ParsedForm(NamedTuple):
    """The contents of a form. `golds` leaves out those with a problem in one of their fields.

    `query` is what the user says. `reply` is what the user should read where no tool is called: it
    is trained on, never scored.
    """

    forms: tuple[GoldForm, ...]
    golds: tuple[Gold, ...]
    problems: dict[str, str]
    query: str
    reply: str


def parse_form(
    form: Form, tools: Sequence[Tool], described: Collection[Decision] = ()
) -> ParsedForm:
    """Read golds from a form; `problems` maps a field to one line.

    `described` are the decisions that need a description.
    """
    forms = tuple(parse_gold_forms(form, tools))
    problems = descriptions.find_missing(forms, described)
    golds = tuple(gold for gold_form in forms if (gold := _parse_gold(gold_form, tools, problems)))
    if not forms:
        problems["form"] = "at least one answer must be right"
    query = read_lines(form, "query").strip()
    if "query" in form and not normalize_tokens(query):
        problems["query"] = "the user must say something"
    return ParsedForm(forms, golds, problems, query, read_lines(form, "reply").strip())


def find_ungrounded(
    forms: Sequence[GoldForm], is_grounded: Callable[[str, Json], bool]
) -> dict[str, str]:
    """Notes on the fields of which no value is said in words that the catalogue knows.

    That is worth a look and no error: "half an hour" is 30 minutes.

    `is_grounded` takes the name of a tool and a value.
    """
    notes: dict[str, str] = {}
    for call in (call for gold in forms for call in gold.calls):
        for argument in call.arguments:
            try:
                accepted = parse_values(argument.lines, argument.type)
            except ValueError:
                continue
            if accepted and not any(is_grounded(call.name, value) for value in accepted):
                notes[argument.field] = "not said in these words: is it right?"
    return notes


def _parse_gold(form: GoldForm, tools: Sequence[Tool], problems: dict[str, str]) -> Gold | None:
    before = len(problems)
    if "\n" in form.thought or form.thought != form.thought.strip():
        problems[f"{form.field}.thought"] = "one line without outer spaces"
    if form.decision != "call":
        calls: list[GoldCall] = []
    else:
        calls = [_parse_call(call, tools, problems) for call in form.calls if call.name]
        if not calls:
            problems[f"{form.calls[-1].field}.tool"] = "choose the tool to call"
    if len(problems) > before:
        return None
    return Gold(msgspec.convert(form.decision, Decision), form.thought, tuple(calls))


def _parse_call(form: CallForm, tools: Sequence[Tool], problems: dict[str, str]) -> GoldCall:
    arguments: dict[str, tuple[Json, ...]] = {}
    if form.name not in {tool.name for tool in tools}:
        problems[f"{form.field}.tool"] = f"{form.name} is not in the tool list"
    for argument in form.arguments:
        try:
            accepted = parse_values(argument.lines, argument.type)
        except ValueError as error:
            problems[argument.field] = str(error)
            continue
        misfits = [
            problem for value in accepted if (problem := _find_misfit(form, argument, value, tools))
        ]
        if misfits:
            problems[argument.field] = misfits[0]
        if not accepted and argument.required:
            problems[argument.field] = "required"
        if accepted:
            arguments[argument.name] = accepted
    optional = (a.name for a in form.arguments if a.optional and a.name in arguments)
    return GoldCall(form.name, arguments, tuple(optional))


def _find_misfit(form: CallForm, argument: Argument, value: Json, tools: Sequence[Tool]) -> str:
    """Why one value does not fit the schema of its argument; empty if it fits."""
    # Without required arguments, a call with this one alone is complete.
    relaxed = [
        Tool(tool.name, tool.description, {**tool.parameters, "required": []}) for tool in tools
    ]
    problem = schema.find_call_problem(Call(form.name, {argument.name: value}), relaxed)
    return problem.rpartition(": ")[2] if problem else ""
