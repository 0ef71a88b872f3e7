"""The catalogue: tools, what people use them for, and how people ask; one YAML file a domain.

A scenario is one use of a tool: phrasings with `{slots}`, the arguments they lead to, what the
model says it is about to do (`goal`) and the final `reply`, in every language. `{city}` stands for
a slot's value, `{1.price}` for a field of the first step's observation. Two sorts are complex: with
`then` later calls follow, whose arguments may come from earlier observations; with `also` other
calls are made in the same turn, and none of them sees what another observes.

A tool without a simulator carries `observations`, of which every call gets one. A tool without
scenarios is never called: it makes menus harder. A domain may have fewer `languages`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, get_args

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.simulators import SIMULATORS, World, authored
from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Json, Language, Record, Tool

LANGUAGES: tuple[Language, ...] = get_args(Language)
SLOT = re.compile(r"\{(\w+(?:\.\w+)?)\}")
OBSERVED_FIELD = re.compile(r"\{(\d+)\.(\w+)\}")
TOOL_NAME = re.compile(r"[A-Za-z_][\w.-]*")


class LocalizedText(Record, frozen=True):
    """The same sentence in every language of its domain."""

    en: str = ""
    zh: str = ""


AtLeastTwo = Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]


class LocalizedTexts(Record, frozen=True):
    """Several ways to say one thing, per language; the last one is held out of training."""

    en: AtLeastTwo = ()
    zh: AtLeastTwo = ()


class NamedValue(Record, frozen=True):
    """A value the tool knows by `value` and people by another word."""

    value: Json
    en: str = ""
    zh: str = ""


class NumberRange(Record, frozen=True):
    """Numbers from `start` to `stop`, both included."""

    start: int | float
    stop: int | float
    step: int | float = 1


Slot = LocalizedTexts | tuple[NamedValue, ...] | NumberRange


class Step(Record, frozen=True):
    """One call: its arguments as literals or `{references}`."""

    tool: str
    arguments: dict[str, Json] = {}


class FollowUpStep(Step, frozen=True, kw_only=True):
    """A call that follows on others, and what it is for."""

    goal: LocalizedText


class PlannedTurn(NamedTuple):
    """One turn of the model: what it is for, and its calls."""

    goal: LocalizedText
    steps: tuple[Step, ...]


class Scenario(Record, frozen=True):
    name: str
    queries: LocalizedTexts
    goal: LocalizedText
    reply: LocalizedText
    arguments: dict[str, Json] = {}
    then: tuple[FollowUpStep, ...] = ()
    also: tuple[Step, ...] = ()

    @property
    def kind(self) -> str:
        """Of its trajectories: one call, several that follow on each other, several at once."""
        return "chain" if self.then else "multi" if self.also else "call"

    @property
    def complexity(self) -> str:
        return "simple" if self.kind == "call" else "complex"

    def turns(self, tool: str) -> tuple[PlannedTurn, ...]:
        first = PlannedTurn(self.goal, (Step(tool, self.arguments), *self.also))
        return (first, *(PlannedTurn(step.goal, (step,)) for step in self.then))

    def steps(self, tool: str) -> tuple[Step, ...]:
        """Every call, in order."""
        return tuple(step for turn in self.turns(tool) for step in turn.steps)


class MissingArgument(Record, frozen=True):
    """Queries that leave out a required argument, and the question to ask back."""

    argument: str
    queries: LocalizedTexts
    goal: LocalizedText
    ask: LocalizedText


class Remark(Record, frozen=True):
    """Something said about a tool's subject that needs no call, and a fitting answer."""

    query: LocalizedText
    reply: LocalizedText


class ToolEntry(Record, frozen=True):
    name: str
    description: LocalizedText
    parameters: dict[str, Json]
    scenarios: tuple[Scenario, ...]
    remarks: tuple[Remark, ...]
    siblings: tuple[str, ...] = ()
    missing: MissingArgument | None = None
    observations: tuple[dict[str, Json], ...] = ()

    def tool(self, language: Language) -> Tool:
        return Tool(self.name, getattr(self.description, language), self.parameters)


class Domain(Record, frozen=True):
    """Tools about one subject, and the values their slots may take.

    `words` are passed on as the user says them, `names` as the `value` the tool knows.
    """

    domain: str
    tools: tuple[ToolEntry, ...]
    words: dict[str, LocalizedTexts] = {}
    names: dict[str, tuple[NamedValue, ...]] = {}
    numbers: dict[str, NumberRange] = {}
    languages: tuple[Language, ...] = LANGUAGES

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
            domain = yaml_records.read(path, Domain)
            _check_languages(domain, path)
            for number, entry in enumerate(domain.tools):
                place = _Place(path, number)
                if entry.name in self.entries:
                    raise place.error(["name"], f"tool {entry.name} stands in two places")
                self.entries[entry.name] = entry
                self.domain_of[entry.name] = domain
                paths[entry.name] = place
        for name, place in paths.items():
            self._check(self.entries[name], place)
        found = self.entries.items()
        self._written = {name: entry.observations for name, entry in found if entry.observations}

    def world(self) -> World:
        """What the tools of one exchange act in."""
        return World(written=self._written)

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
        if not TOOL_NAME.fullmatch(entry.name):
            raise place.error(["name"], f"{entry.name!r} is not a tool name")
        if problem := schema.find_parameters_problem(entry.parameters):
            raise place.error(["parameters"], problem)
        required = set(entry.parameters.get("required", []))
        for sibling in entry.siblings:
            if sibling not in self.entries:
                raise place.error(["siblings"], f"no tool {sibling}")
        if entry.missing and entry.missing.argument not in required:
            problem = f"{entry.missing.argument} is not a required argument"
            raise place.error(["missing", "argument"], problem)
        if wrong := authored.find_quoted_arguments(entry.observations) - required:
            raise place.error(["observations"], f"{sorted(wrong)} are not required arguments")
        domain = self.domain_of[entry.name]
        if entry.missing:
            self._check_missing(entry.missing, domain, place.of("missing"))
        names = [scenario.name for scenario in entry.scenarios]
        for number, scenario in enumerate(entry.scenarios):
            if scenario.name in names[:number]:
                problem = f"scenario {scenario.name} stands in two places"
                raise place.error(["scenarios", str(number), "name"], problem)
            self._check_scenario(entry, scenario, domain, place.of("scenarios", str(number)))

    def _check_missing(self, missing: MissingArgument, domain: Domain, place: "_Place") -> None:
        for language in domain.languages:
            given = _given(missing.queries, language, domain.slots, place)
            for field, text in (("goal", missing.goal), ("ask", missing.ask)):
                _check_text(getattr(text, language), given, 0, place, [field, language])

    def _check_observed(self, scenario: Scenario, steps: tuple[Step, ...], place: "_Place") -> None:
        """What is called can be observed, and has the fields that texts and arguments name."""
        for step in steps:
            if step.tool not in SIMULATORS and not self.entries[step.tool].observations:
                raise place.error([], f"{step.tool} has no simulator: expected `observations`")
        named = OBSERVED_FIELD.findall(msgspec.json.encode((scenario.reply, steps)).decode())
        for step_number, field in sorted(set(named)):
            for step in steps[int(step_number) - 1 :][:1]:
                if any(field not in seen for seen in self.entries[step.tool].observations):
                    problem = f"{step_number}.{field} is not in every observation of {step.tool}"
                    raise place.error([], problem)

    def _check_scenario(
        self, entry: ToolEntry, scenario: Scenario, domain: Domain, place: "_Place"
    ) -> None:
        if scenario.then and scenario.also:
            raise place.error(["also"], "expected either `then` or `also`, not both")
        steps = scenario.steps(entry.name)
        later = "also" if scenario.also else "then"
        for index, step in enumerate(steps):
            keys = [later, str(index - 1)] if index else []
            self._check_step(step, index if scenario.then else 0, place.of(*keys))
        self._check_observed(scenario, steps, place)
        for language in domain.languages:
            given = _given(scenario.queries, language, domain.slots, place)
            used = {slot for step in steps for slot in _references(step) if "." not in slot}
            if used - given:
                problem = f"{sorted(used - given)} not in every {language} query"
                raise place.error(["queries", language], problem)
            for before, text in enumerate([scenario.goal, *(step.goal for step in scenario.then)]):
                keys = ["then", str(before - 1), "goal"] if before else ["goal"]
                _check_text(getattr(text, language), given, before, place, [*keys, language])
            reply = getattr(scenario.reply, language)
            _check_text(reply, given, len(steps), place, ["reply", language])

    def _check_step(self, step: Step, observed: int, place: "_Place") -> None:
        """A tool of the catalogue, its arguments, and of observations only those before it."""
        if step.tool not in self.entries:
            raise place.error(["tool"], f"no tool {step.tool}")
        parameters = self.entries[step.tool].parameters
        unknown = step.arguments.keys() - parameters.get("properties", {}).keys()
        absent = set(parameters.get("required", [])) - step.arguments.keys()
        if unknown or absent:
            problem = f"{step.tool}: unknown {sorted(unknown)}, missing {sorted(absent)}"
            raise place.error(["arguments"], problem)
        for name in _references(step):
            if "." in name and int(name.partition(".")[0]) not in range(1, observed + 1):
                problem = f"{{{name}}} is no observation before this call"
                raise place.error(["arguments"], problem)


def _check_languages(domain: Domain, path: Path) -> None:
    """Every wording stands there in every language of its domain."""
    for keys, wording in _wordings(domain):
        for language in domain.languages:
            if not getattr(wording, language):
                line = yaml_records.find_line(path, list(keys))
                raise BadInput(f"{path}:{line}: {'.'.join(keys)}: no {language} here")


def _wordings(
    value: object, *keys: str
) -> Iterator[tuple[tuple[str, ...], LocalizedText | LocalizedTexts | NamedValue]]:
    """Every wording in a record, with the keys that lead to it."""
    if isinstance(value, LocalizedText | LocalizedTexts | NamedValue):
        yield keys, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _wordings(getattr(value, name), *keys, name)
    elif isinstance(value, dict | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _wordings(item, *keys, str(key))


def _references(step: Step) -> list[str]:
    """What the arguments name, in lists and objects too: JSON's own braces precede no letter."""
    return SLOT.findall(msgspec.json.encode(step.arguments).decode())


def _given(
    queries: LocalizedTexts, language: Language, slots: Mapping[str, Slot], place: "_Place"
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
        line = yaml_records.find_line(self.path, keys)
        return BadInput(f"{self.path}:{line}: {'.'.join(keys)}: {problem}")
