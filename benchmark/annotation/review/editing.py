"""A task's query and golds as the fields of a form, and back; what is wrong with a field."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, get_args

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import Call, Decision, Json, Record, Tool
from benchmark.annotation.review.value_text import describe_type, format_values, parse_values
from benchmark.tasks.suites import Gold, GoldCall

DECISIONS: tuple[Decision, ...] = get_args(Decision)
Form = Mapping[str, str]


class Argument(Record, frozen=True):
    """One argument in the form; `field` names its box."""

    field: str
    name: str
    type: str
    description: str
    required: bool
    optional: bool  # the answer may leave it out
    lines: str


class CallForm(Record, frozen=True):
    field: str
    name: str
    arguments: tuple[Argument, ...]


class GoldForm(Record, frozen=True):
    field: str
    decision: str
    thought: str
    calls: tuple[CallForm, ...]


class ParsedForm(NamedTuple):
    """What a form says: the golds, if no field has a problem, and the user's words.

    `reply` is what the user should read where no tool is called; it is trained on, never scored.
    """

    forms: tuple[GoldForm, ...]
    golds: tuple[Gold, ...]
    problems: dict[str, str]
    query: str
    reply: str


def fill_form(golds: Sequence[Gold], tools: Sequence[Tool]) -> tuple[GoldForm, ...]:
    """The form of golds; one more call without a tool waits to be chosen."""
    form: dict[str, str] = {}
    for g, gold in enumerate(golds):
        form |= {f"{g}.decision": gold.decision, f"{g}.thought": gold.thought}
        for c, call in enumerate(gold.calls):
            form[f"{g}.{c}.tool"] = call.name
            for name, accepted in call.arguments.items():
                form[f"{g}.{c}.{name}"] = format_values(accepted, _type(call.name, name, tools))
                form |= {f"{g}.{c}.{name}.optional": "1"} if name in call.optional else {}
    return tuple(_forms(form, tools))


def parse_form(form: Form, tools: Sequence[Tool]) -> ParsedForm:
    """Golds out of a form; `problems` names a field, and each has one line."""
    forms = tuple(_forms(form, tools))
    problems: dict[str, str] = {}
    golds = tuple(gold for one in forms if (gold := _gold(one, tools, problems)))
    if not forms:
        problems["form"] = "at least one answer must be right"
    query = _lines(form, "query").strip()
    if "query" in form and not normalize_tokens(query):
        problems["query"] = "the user must say something"
    return ParsedForm(forms, golds, problems, query, _lines(form, "reply").strip())


def normalize_posted(text: str) -> str:
    """A text as a browser gives it back out of a box that nobody touched."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").strip()


def find_ungrounded(forms: Sequence[GoldForm], said: Callable[[str, Json], bool]) -> dict[str, str]:
    """Fields none of whose values were said (`said` knows of a tool's): to look at, not wrong."""
    notes: dict[str, str] = {}
    for call in (call for gold in forms for call in gold.calls):
        for argument in call.arguments:
            try:
                accepted = parse_values(argument.lines, argument.type)
            except ValueError:
                continue
            if accepted and not any(said(call.name, value) for value in accepted):
                notes[argument.field] = "nobody said this in the dialogue"
    return notes


def _forms(form: Form, tools: Sequence[Tool]) -> Iterator[GoldForm]:
    for number, g in enumerate(_numbers(form, "decision")):
        if form[f"{g}.decision"] in DECISIONS:  # otherwise: taken away
            calls = [
                _call_form(form, f"{g}.{c}", f"{number}.{place}", tools)
                for place, c in enumerate(_numbers(form, "tool", f"{g}."))
                if form[f"{g}.{c}.tool"]
            ]
            free = CallForm(f"{number}.{len(calls)}", "", ())
            decision, thought = form[f"{g}.decision"], _lines(form, f"{g}.thought")
            yield GoldForm(str(number), decision, thought, (*calls, free))


def _lines(form: Form, field: str) -> str:
    """A browser ends the lines of a text area with CR LF."""
    return form.get(field, "").replace("\r\n", "\n")


def _numbers(form: Form, leaf: str, before: str = "") -> list[int]:
    """Which n the form has a field `{before}n.{leaf}` for."""
    names = [name.removeprefix(before) for name in form if name.startswith(before)]
    found = [name.removesuffix(f".{leaf}") for name in names if name.endswith(f".{leaf}")]
    return sorted(int(number) for number in found if number.isdecimal())


def _call_form(form: Form, source: str, field: str, tools: Sequence[Tool]) -> CallForm:
    name = form[f"{source}.tool"]
    parameters = next((tool.parameters for tool in tools if tool.name == name), {})
    arguments = (
        Argument(
            field=f"{field}.{argument}",
            name=argument,
            type=describe_type(property),
            description=str(property.get("description", "")),
            required=argument in parameters.get("required", ()),
            optional=f"{source}.{argument}.optional" in form,
            lines=_lines(form, f"{source}.{argument}"),
        )
        for argument, property in parameters.get("properties", {}).items()
    )
    return CallForm(field, name, tuple(arguments))


def _gold(form: GoldForm, tools: Sequence[Tool], problems: dict[str, str]) -> Gold | None:
    before = len(problems)
    if "\n" in form.thought or form.thought != form.thought.strip():
        problems[f"{form.field}.thought"] = "one line without outer spaces"
    if form.decision != "call":
        calls: list[GoldCall] = []
    else:
        calls = [_gold_call(call, tools, problems) for call in form.calls if call.name]
        if not calls:
            problems[f"{form.calls[-1].field}.tool"] = "choose the tool to call"
    if len(problems) > before:
        return None
    return Gold(msgspec.convert(form.decision, Decision), form.thought, tuple(calls))


def _gold_call(form: CallForm, tools: Sequence[Tool], problems: dict[str, str]) -> GoldCall:
    arguments: dict[str, tuple[Json, ...]] = {}
    if form.name not in {tool.name for tool in tools}:
        problems[f"{form.field}.tool"] = f"{form.name} is not on the menu"
    for argument in form.arguments:
        try:
            accepted = parse_values(argument.lines, argument.type)
        except ValueError as error:
            problems[argument.field] = str(error)
            continue
        found = [
            problem for value in accepted if (problem := _misfit(form, argument, value, tools))
        ]
        if found:
            problems[argument.field] = found[0]
        if not accepted and argument.required:
            problems[argument.field] = "required"
        if accepted:
            arguments[argument.name] = accepted
    optional = (a.name for a in form.arguments if a.optional and a.name in arguments)
    return GoldCall(form.name, arguments, tuple(optional))


def _misfit(form: CallForm, argument: Argument, value: Json, tools: Sequence[Tool]) -> str:
    """Why one value does not fit the schema of its argument, whatever the others are."""
    alone = [
        Tool(tool.name, tool.description, {**tool.parameters, "required": []}) for tool in tools
    ]
    problem = schema.find_call_problem(Call(form.name, {argument.name: value}), alone)
    return problem.rpartition(": ")[2] if problem else ""


def _type(tool: str, argument: str, tools: Sequence[Tool]) -> str:
    parameters = next((one.parameters for one in tools if one.name == tool), {})
    return describe_type(parameters.get("properties", {}).get(argument, {}))
