"""The values of written examples, by the kind of thing that each one is: products, people, amounts.

Values of one kind may stand for each other in a copy of an example. Parameters of one name hold
one kind, whatever the tool. Two kinds stand in several parameters: mail addresses and people.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent_tuning.records import Json, Record
from agent_tuning.synthesis.written_checks import CLOCK_TIME, ExampleChecks
from agent_tuning.synthesis.written_examples import WrittenExample

MAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.\w+")
Value = str | int | float
PERSON, MAIL = "person", "mail address"


class PeopleConfig(Record, frozen=True):
    """Which parameters hold names of people; see `written.people` in params.yaml."""

    always: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()


class PooledValue(NamedTuple):
    """A value as it stands in a call, and its kind."""

    value: Value
    kind: str


class ValuePools:
    """All values of `examples`, each once, in the order of the examples."""

    def __init__(
        self, examples: Sequence[WrittenExample], checks: ExampleChecks, people: PeopleConfig
    ) -> None:
        self._checks = checks
        self._people = people
        arguments = [argument for example in examples for argument in list_arguments(example)]
        self.first_names = {
            value.split()[0]
            for _, parameter, value in arguments
            if parameter in people.always and isinstance(value, str) and value.strip()
        }
        of_kind: dict[str, dict[Value, None]] = {}
        tools_of: dict[str, set[str]] = {}
        for argument in arguments:
            if pooled := self.classify(*argument):
                of_kind.setdefault(pooled.kind, {})[pooled.value] = None
                tools_of.setdefault(pooled.kind, set()).add(argument[0])
        self.of_kind = {kind: tuple(values) for kind, values in of_kind.items()}
        # What several tools take is a thing with a name; a subject or an address is any phrase.
        self.of_several_tools = {kind for kind, tools in tools_of.items() if len(tools) > 1}
        self.of_common_words = {
            kind
            for kind, values in self.of_kind.items()
            if 2 * sum(isinstance(value, str) and value.islower() for value in values) > len(values)
        }

    def classify(self, tool: str, parameter: str, value: Json) -> PooledValue | None:
        """The value with its kind; None for a value that is never exchanged, such as an enum's."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return PooledValue(value, f"{tool}.{parameter}")
        if not isinstance(value, str) or not value.strip():
            return None
        if CLOCK_TIME.fullmatch(value):
            return PooledValue(value, f"{tool}.{parameter}")
        if not self._checks.is_free_text(tool, parameter, value):
            return None
        if MAIL_ADDRESS.fullmatch(value):
            return PooledValue(value, MAIL)
        is_person = parameter in self._people.always or (
            parameter in self._people.sometimes and value.split()[0] in self.first_names
        )
        return PooledValue(value, PERSON if is_person else parameter)


def list_arguments(example: WrittenExample) -> Iterator[tuple[str, str, Json]]:
    """Tool, parameter and value of every argument of the calls; the items of a list one by one."""
    for calls in (example.calls, *example.also_right):
        for call in calls:
            for name, value in call.arguments.items():
                for item in value if isinstance(value, list) else [value]:
                    yield call.name, name, item
