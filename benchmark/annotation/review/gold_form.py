"""A task's golds as the fields of a form, and the fields of a posted form as they were typed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, get_args

import msgspec

from agent_tuning.records import Decision, Json, Record, Tool
from benchmark.annotation.review.value_text import (
    describe_type,
    format_value,
    format_values,
    read_description,
)
from benchmark.tasks.suites import Gold

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
    choices: tuple[str, ...] = ()  # all lines that the schema allows, if it lists them

    @property
    def chosen(self) -> tuple[str, ...]:
        return tuple(line for line in self.lines.split("\n") if line.strip())

    @property
    def boxes(self) -> tuple[str, ...]:
        """The choices, and what is chosen although the schema does not list it."""
        return (*self.choices, *(line for line in self.chosen if line not in self.choices))


class CallForm(Record, frozen=True):
    field: str
    name: str
    arguments: tuple[Argument, ...]


class GoldForm(Record, frozen=True):
    field: str
    decision: str
    thought: str
    calls: tuple[CallForm, ...]


class PostedFields(Protocol):
    """The fields of a request: a name may have several values, as those of checkboxes have."""

    def lists(self) -> Iterable[tuple[str, list[str]]]: ...


def read_fields(posted: PostedFields) -> Form:
    """The fields by name. Checked boxes of one name are lines of one field."""
    return {name: "\n".join(values) for name, values in posted.lists()}


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
    return tuple(parse_gold_forms(form, tools))


def normalize_posted(text: str) -> str:
    """A text as a browser sends it from a text box that nobody changed."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").strip()


def normalize_forms(forms: Sequence[GoldForm]) -> tuple[GoldForm, ...]:
    """Forms as a browser sends them back: equal if nobody changed anything."""
    return tuple(
        msgspec.structs.replace(form, thought=normalize_posted(form.thought)) for form in forms
    )


def parse_gold_forms(form: Form, tools: Sequence[Tool]) -> Iterator[GoldForm]:
    for number, g in enumerate(_list_numbers(form, "decision")):
        if form[f"{g}.decision"] in DECISIONS:  # otherwise the answer was removed
            calls = [
                _parse_call_form(form, f"{g}.{c}", f"{number}.{place}", tools)
                for place, c in enumerate(_list_numbers(form, "tool", f"{g}."))
                if form[f"{g}.{c}.tool"]
            ]
            empty = CallForm(f"{number}.{len(calls)}", "", ())
            decision, thought = form[f"{g}.decision"], read_lines(form, f"{g}.thought")
            yield GoldForm(str(number), decision, thought, (*calls, empty))


def read_lines(form: Form, field: str) -> str:
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
            description=read_description(property),
            required=argument in parameters.get("required", ()),
            optional=f"{source}.{argument}.optional" in form,
            lines=read_lines(form, f"{source}.{argument}"),
            choices=tuple(_list_choices(property)),
        )
        for argument, property in parameters.get("properties", {}).items()
    )
    return CallForm(field, name, tuple(arguments))


def _find_type(name: str, argument: str, tools: Sequence[Tool]) -> str:
    parameters = next((tool.parameters for tool in tools if tool.name == name), {})
    return describe_type(parameters.get("properties", {}).get(argument, {}))


def _list_choices(property: Json) -> Iterator[str]:
    """The values of an enum or of a truth value, as lines."""
    if not isinstance(property, dict):  # `true`: anything
        return
    listed = [True, False] if property.get("type") == "boolean" else property.get("enum", [])
    yield from (format_value(value, describe_type(property)) for value in listed)
