"""The catalogue: tools, what people use them for, and how people ask; one YAML file a domain.

A scenario is one use of a tool: phrasings with `{slots}`, the arguments they lead to, what the
model says it is about to do (`goal`) and the final `reply`, in every language. `{city}` stands for
a slot's value, `{1.price}` for a field of the first step's observation. A scenario with `then` is
complex: its later arguments may come from earlier observations.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, get_args

import jsonschema_rs
import msgspec

from trajectory import yamlfile
from trajectory.records import BadInput, Json, Language, Record, Tool

LANGUAGES: tuple[Language, ...] = get_args(Language)
SLOT = re.compile(r"\{(\w+(?:\.\w+)?)\}")
NAME = re.compile(r"[A-Za-z_][\w.-]*")


class Text(Record, frozen=True):
    """The same sentence in every language."""

    en: str
    zh: str


Several = Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]


class Texts(Record, frozen=True):
    """Several ways to say one thing, per language; the last one is held out of training."""

    en: Several
    zh: Several


class Named(Record, frozen=True):
    """A value the tool knows by `value` and people by another word."""

    value: Json
    en: str
    zh: str


class Range(Record, frozen=True):
    """Numbers from `start` to `stop`, both included."""

    start: int | float
    stop: int | float
    step: int | float = 1


Slot = Texts | tuple[Named, ...] | Range


class Step(Record, frozen=True):
    """One call: what it is for, and its arguments as literals or `{references}`."""

    tool: str
    goal: Text
    arguments: dict[str, Json] = {}


class Scenario(Record, frozen=True):
    name: str
    queries: Texts
    goal: Text
    reply: Text
    arguments: dict[str, Json] = {}
    then: tuple[Step, ...] = ()

    @property
    def complexity(self) -> str:
        return "complex" if self.then else "simple"

    def steps(self, tool: str) -> tuple[Step, ...]:
        return (Step(tool, self.goal, self.arguments), *self.then)


class Missing(Record, frozen=True):
    """Queries that leave out a required argument, and the question to ask back."""

    argument: str
    queries: Texts
    goal: Text
    ask: Text


class Remark(Record, frozen=True):
    """Something said about a tool's subject that needs no call, and a fitting answer."""

    query: Text
    reply: Text


class ToolEntry(Record, frozen=True):
    name: str
    description: Text
    parameters: dict[str, Json]
    scenarios: tuple[Scenario, ...]
    remarks: tuple[Remark, ...]
    siblings: tuple[str, ...] = ()
    missing: Missing | None = None

    def tool(self, language: Language) -> Tool:
        return Tool(self.name, getattr(self.description, language), self.parameters)


class Domain(Record, frozen=True):
    """Tools about one subject, and the values their slots may take.

    `words` are passed on as the user says them, `names` as the `value` the tool knows.
    """

    domain: str
    tools: tuple[ToolEntry, ...]
    words: dict[str, Texts] = {}
    names: dict[str, tuple[Named, ...]] = {}
    numbers: dict[str, Range] = {}

    @property
    def slots(self) -> dict[str, Slot]:
        return {**self.words, **self.names, **self.numbers}


class Catalogue:
    """Every domain of a folder, checked; `entries` maps a tool's name to its entry."""

    def __init__(self, folder: Path) -> None:
        self.entries: dict[str, ToolEntry] = {}
        self.domain_of: dict[str, Domain] = {}
        self._tools: dict[tuple[str, Language], Tool] = {}
        files = sorted(folder.glob("*.yaml"))
        if not files:
            raise BadInput(f"{folder}: no catalogue here: expected one YAML file a domain")
        paths = {}
        for path in files:
            domain = yamlfile.read(path, Domain)
            for number, entry in enumerate(domain.tools):
                place = _Place(path, number)
                if entry.name in self.entries:
                    raise place.error(["name"], f"tool {entry.name} stands in two places")
                self.entries[entry.name] = entry
                self.domain_of[entry.name] = domain
                paths[entry.name] = place
        for name, place in paths.items():
            self._check(self.entries[name], place)

    def scenario(self, tool: str, name: str) -> Scenario:
        return next(s for s in self.entries[tool].scenarios if s.name == name)

    def tool(self, name: str, language: Language) -> Tool:
        """The same object every time: many groups share it."""
        return self._tools.setdefault((name, language), self.entries[name].tool(language))

    def cells(self) -> Iterator[tuple[str, Scenario]]:
        """Every tool × scenario."""
        for name, entry in self.entries.items():
            for scenario in entry.scenarios:
                yield name, scenario

    def _check(self, entry: ToolEntry, place: "_Place") -> None:
        if not NAME.fullmatch(entry.name):
            raise place.error(["name"], f"{entry.name!r} is not a tool name")
        schema = entry.parameters
        try:
            jsonschema_rs.Draft202012Validator(schema)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise place.error(["parameters"], f"not a JSON Schema: {reason}") from error
        if schema.get("type") != "object":
            raise place.error(["parameters", "type"], "expected type object")
        for sibling in entry.siblings:
            if sibling not in self.entries:
                raise place.error(["siblings"], f"no tool {sibling}")
        if entry.missing and entry.missing.argument not in schema.get("required", []):
            problem = f"{entry.missing.argument} is not a required argument"
            raise place.error(["missing", "argument"], problem)
        slots = self.domain_of[entry.name].slots
        if entry.missing:
            self._check_missing(entry.missing, slots, place.of("missing"))
        names = [scenario.name for scenario in entry.scenarios]
        for number, scenario in enumerate(entry.scenarios):
            if scenario.name in names[:number]:
                problem = f"scenario {scenario.name} stands in two places"
                raise place.error(["scenarios", str(number), "name"], problem)
            self._check_scenario(entry, scenario, slots, place.of("scenarios", str(number)))

    def _check_missing(self, missing: Missing, slots: Mapping[str, Slot], place: "_Place") -> None:
        for language in LANGUAGES:
            given = _given(missing.queries, language, slots, place)
            for field, text in (("goal", missing.goal), ("ask", missing.ask)):
                _check_text(getattr(text, language), given, 0, place, [field, language])

    def _check_scenario(
        self, entry: ToolEntry, scenario: Scenario, slots: Mapping[str, Slot], place: "_Place"
    ) -> None:
        for index, step in enumerate(scenario.steps(entry.name)):
            if step.tool not in self.entries:
                raise place.error(["then"], f"no tool {step.tool}")
            schema = self.entries[step.tool].parameters
            unknown = step.arguments.keys() - schema.get("properties", {}).keys()
            absent = set(schema.get("required", [])) - step.arguments.keys()
            if unknown or absent:
                problem = f"{step.tool}: unknown {sorted(unknown)}, missing {sorted(absent)}"
                raise place.error(["then" if index else "arguments"], problem)
        steps = scenario.steps(entry.name)
        for language in LANGUAGES:
            given = _given(scenario.queries, language, slots, place)
            used = {
                slot
                for step in steps
                for value in step.arguments.values()
                if isinstance(value, str)
                for slot in SLOT.findall(value)
                if "." not in slot
            }
            if used - given:
                problem = f"{sorted(used - given)} not in every {language} query"
                raise place.error(["queries", language], problem)
            fields = {"goal": scenario.goal, "reply": scenario.reply}
            for field, text in (*fields.items(), *(("then", step.goal) for step in scenario.then)):
                _check_text(getattr(text, language), given, len(steps), place, [field, language])


def _given(
    queries: Texts, language: Language, slots: Mapping[str, Slot], place: "_Place"
) -> set[str]:
    """The slots that every query fills."""
    found = [set(SLOT.findall(query)) for query in getattr(queries, language)]
    if unknown := set().union(*found) - slots.keys():
        raise place.error(["queries", language], f"no values for {sorted(unknown)}")
    return set.intersection(*found)


def _check_text(text: str, given: set[str], steps: int, place: "_Place", keys: list[str]) -> None:
    """A text may name what every query says, and fields of what a step observes."""
    for slot in SLOT.findall(text):
        step = slot.partition(".")[0]
        if slot not in given and not ("." in slot and step in map(str, range(1, steps + 1))):
            raise place.error(keys, f"{slot} is neither in every query nor observed")


class _Place:
    """Where in a catalogue file a field stands."""

    def __init__(self, path: Path, tool: int, keys: tuple[str, ...] = ()) -> None:
        self.path = path
        self.tool = tool
        self.keys = ("tools", str(tool), *keys) if not keys or keys[0] != "tools" else keys

    def of(self, *keys: str) -> "_Place":
        return _Place(self.path, self.tool, (*self.keys, *keys))

    def error(self, keys: list[str], problem: str) -> BadInput:
        keys = [*self.keys, *keys]
        line = yamlfile.line_of(self.path, keys)
        return BadInput(f"{self.path}:{line}: {'.'.join(keys)}: {problem}")
