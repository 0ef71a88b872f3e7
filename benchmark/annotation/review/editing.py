"""A task's query and golds as the fields of a form, and back; the problem of a field if any."""

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
    """One argument in the form; `field` names its text box."""

    field: str
    name: str
    type: str
    description: str
    required: bool
    optional: bool  # whether the answer may leave it out
    lines: str  # the accepted values, one a line


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
    """The contents of a form. `golds` leaves out those with a problem in one of their fields.

    `query` is what the user says. `reply` is what the user should read where no tool is called: it
    is trained on, never scored.
    """

    forms: tuple[GoldForm, ...]
    golds: tuple[Gold, ...]
    problems: dict[str, str]
    query: str
    reply: str


def fill_form(golds: Sequence[Gold], tools: Sequence[Tool]) -> tuple[GoldForm, ...]:
    """The form of golds. After its calls, each has an empty one for another tool."""
    form: dict[str, str] = {}
    for g, gold in enumerate(golds):
        form |= {f"{g}.decision": gold.decision, f"{g}.thought": gold.thought}
        for c, call in enumerate(gold.calls):
            form[f"{g}.{c}.tool"] = call.name
            for name, accepted in call.arguments.items():
                form[f"{g}.{c}.{name}"] = format_values(
                    accepted, _find_type(call.name, name, tools)
                )
                form |= {f"{g}.{c}.{name}.optional": "1"} if name in call.optional else {}
    return tuple(_parse_forms(form, tools))


def parse_form(form: Form, tools: Sequence[Tool]) -> ParsedForm:
    """Read golds from a form; `problems` maps a field to one line."""
    forms = tuple(_parse_forms(form, tools))
    problems: dict[str, str] = {}
    golds = tuple(gold for gold_form in forms if (gold := _parse_gold(gold_form, tools, problems)))
    if not forms:
        problems["form"] = "at least one answer must be right"
    query = _read_lines(form, "query").strip()
    if "query" in form and not normalize_tokens(query):
        problems["query"] = "the user must say something"
    return ParsedForm(forms, golds, problems, query, _read_lines(form, "reply").strip())


def normalize_posted(text: str) -> str:
    """A text as a browser sends it from a text box that nobody changed."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").strip()


def find_ungrounded(
    forms: Sequence[GoldForm], is_grounded: Callable[[str, Json], bool]
) -> dict[str, str]:
    """Notes on the fields of which no value is said. That is worth a look, and not an error.

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
                notes[argument.field] = "nobody said this in the dialogue"
    return notes


def _parse_forms(form: Form, tools: Sequence[Tool]) -> Iterator[GoldForm]:
    for number, g in enumerate(_list_numbers(form, "decision")):
        if form[f"{g}.decision"] in DECISIONS:  # otherwise the answer was removed
            calls = [
                _parse_call_form(form, f"{g}.{c}", f"{number}.{place}", tools)
                for place, c in enumerate(_list_numbers(form, "tool", f"{g}."))
                if form[f"{g}.{c}.tool"]
            ]
            empty = CallForm(f"{number}.{len(calls)}", "", ())
            decision, thought = form[f"{g}.decision"], _read_lines(form, f"{g}.thought")
            yield GoldForm(str(number), decision, thought, (*calls, empty))


def _read_lines(form: Form, field: str) -> str:
    """The text of a field. A browser ends the lines of a text area with CR LF."""
    return form.get(field, "").replace("\r\n", "\n")


def _list_numbers(form: Form, leaf: str, before: str = "") -> list[int]:
    """Every number n for which the form has a field `{before}n.{leaf}`."""
    names = [name.removeprefix(before) for name in form if name.startswith(before)]
    numbers = [name.removesuffix(f".{leaf}") for name in names if name.endswith(f".{leaf}")]
    return sorted(int(number) for number in numbers if number.isdecimal())


def _parse_call_form(form: Form, source: str, field: str, tools: Sequence[Tool]) -> CallForm:
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
            lines=_read_lines(form, f"{source}.{argument}"),
        )
        for argument, property in parameters.get("properties", {}).items()
    )
    return CallForm(field, name, tuple(arguments))


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


def _find_type(name: str, argument: str, tools: Sequence[Tool]) -> str:
    parameters = next((tool.parameters for tool in tools if tool.name == name), {})
    return describe_type(parameters.get("properties", {}).get(argument, {}))
