"""Checks of a catalogue file beyond its schema: one error line with file, line and field."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent_tuning.catalogue import parameters
from agent_tuning.catalogue.entry_records import (
    OBSERVED_FIELD,
    SLOT,
    TOOL_NAME,
    Domain,
    LocalizedText,
    LocalizedTexts,
    MissingArgument,
    NamedValue,
    Scenario,
    Slot,
    Step,
    ToolEntry,
)
from agent_tuning.catalogue.schema_references import SchemaProblem
from agent_tuning.catalogue.simulators import SIMULATORS, authored
from agent_tuning.files import strict_json, yaml_records
from agent_tuning.records import BadInput, Language

Entries = Mapping[str, ToolEntry]


class Position(NamedTuple):
    """Where a field stands in a catalogue file."""

    path: Path
    keys: tuple[str, ...]

    def at(self, *keys: str) -> "Position":
        return Position(self.path, (*self.keys, *keys))

    def error(self, problem: str, *keys: str) -> BadInput:
        keys = (*self.keys, *keys)
        line = yaml_records.find_line(self.path, list(keys))
        return BadInput(f"{self.path}:{line}: {'.'.join(keys)}: {problem}")


def check_values(domain: Domain, path: Path) -> None:
    """Raise BadInput for a text or number that no line of JSON can hold."""
    for field, problem in strict_json.find_problems(msgspec.to_builtins(domain)):
        raise Position(path, tuple(field.split("."))).error(problem)


def write_out_parameters(entry: ToolEntry, position: Position) -> ToolEntry:
    """The entry with parameters that every tool list can write, from those of the file.

    Raises BadInput if they are no parameters.
    """
    try:
        written = parameters.write_out(entry.parameters, "")
    except SchemaProblem as error:
        place, _, problem = str(error).partition(": ")
        raise position.error(problem, "parameters", *place.split(".")[1:]) from error
    return msgspec.structs.replace(entry, parameters=written)


def check_languages(domain: Domain, path: Path) -> None:
    """Raise BadInput unless every wording is there in every language of its domain."""
    for keys, wording in _find_wordings(domain):
        for language in domain.languages:
            if not getattr(wording, language):
                raise Position(path, keys).error(f"no text in the language {language}")


def check_entry(entry: ToolEntry, entries: Entries, domain: Domain, position: Position) -> None:
    """Raise BadInput at the first mistake of a tool; `entries` are all tools of the catalogue."""
    if not TOOL_NAME.fullmatch(entry.name):
        raise position.error(f"{entry.name!r} is not a tool name", "name")
    required = set(entry.parameters.get("required", []))
    for sibling in entry.siblings:
        if sibling not in entries:
            raise position.error(f"unknown tool {sibling}", "siblings")
    if entry.missing and entry.missing.argument not in required:
        problem = f"{entry.missing.argument} is not a required argument"
        raise position.error(problem, "missing", "argument")
    if unknown := authored.find_quoted_arguments(entry.observations) - required:
        raise position.error(f"{sorted(unknown)} are not required arguments", "observations")
    if entry.missing:
        _check_missing_argument(entry.missing, domain, position.at("missing"))
    names = [scenario.name for scenario in entry.scenarios]
    for number, scenario in enumerate(entry.scenarios):
        here = position.at("scenarios", str(number))
        if scenario.name in names[:number]:
            raise here.error(f"two scenarios are named {scenario.name}", "name")
        _check_scenario(entry, scenario, entries, domain, here)


def _find_wordings(
    value: object, *keys: str
) -> Iterator[tuple[tuple[str, ...], LocalizedText | LocalizedTexts | NamedValue]]:
    """Every wording in a record, with the keys that lead to it."""
    if isinstance(value, LocalizedText | LocalizedTexts | NamedValue):
        yield keys, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _find_wordings(getattr(value, name), *keys, name)
    elif isinstance(value, dict | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _find_wordings(item, *keys, str(key))


def _check_missing_argument(missing: MissingArgument, domain: Domain, position: Position) -> None:
    for language in domain.languages:
        slots = _find_common_slots(missing.queries, language, domain.slots, position)
        for field, text in (("goal", missing.goal), ("ask", missing.ask)):
            _check_text(getattr(text, language), slots, 0, position.at(field, language))


def _check_scenario(
    entry: ToolEntry, scenario: Scenario, entries: Entries, domain: Domain, position: Position
) -> None:
    if scenario.then and scenario.also:
        raise position.error("expected either `then` or `also`, not both", "also")
    steps = scenario.steps(entry.name)
    later = "also" if scenario.also else "then"
    for index, step in enumerate(steps):
        here = position.at(later, str(index - 1)) if index else position
        _check_step(step, index if scenario.then else 0, entries, here)
    _check_observations(scenario, steps, entries, position)
    for language in domain.languages:
        slots = _find_common_slots(scenario.queries, language, domain.slots, position)
        used = {slot for step in steps for slot in _find_references(step) if "." not in slot}
        if used - slots:
            problem = f"slots {sorted(used - slots)} are not in every {language} query"
            raise position.error(problem, "queries", language)
        for before, text in enumerate([scenario.goal, *(step.goal for step in scenario.then)]):
            here = position.at("then", str(before - 1)) if before else position
            _check_text(getattr(text, language), slots, before, here.at("goal", language))
        reply = getattr(scenario.reply, language)
        _check_text(reply, slots, len(steps), position.at("reply", language))


def _check_step(step: Step, observed: int, entries: Entries, position: Position) -> None:
    """Only tools of the catalogue, their own arguments, and observations of earlier steps."""
    if step.tool not in entries:
        raise position.error(f"unknown tool {step.tool}", "tool")
    declared = entries[step.tool].parameters
    unknown = step.arguments.keys() - declared.get("properties", {}).keys()
    absent = set(declared.get("required", [])) - step.arguments.keys()
    if unknown or absent:
        problem = f"{step.tool}: unknown {sorted(unknown)}, missing {sorted(absent)}"
        raise position.error(problem, "arguments")
    for name in _find_references(step):
        if "." in name and int(name.partition(".")[0]) not in range(1, observed + 1):
            raise position.error(f"{{{name}}} names no observation before this call", "arguments")


def _check_observations(
    scenario: Scenario, steps: tuple[Step, ...], entries: Entries, position: Position
) -> None:
    """Every call can be observed, and observations have the fields that texts and calls name."""
    for step in steps:
        if step.tool not in SIMULATORS and not entries[step.tool].observations:
            raise position.error(f"{step.tool} has no simulator: expected `observations`")
    named = OBSERVED_FIELD.findall(msgspec.json.encode((scenario.reply, steps)).decode())
    for number, field in sorted(set(named)):
        for step in steps[int(number) - 1 :][:1]:
            if any(field not in written for written in entries[step.tool].observations):
                problem = f"{number}.{field} is not in every observation of {step.tool}"
                raise position.error(problem)


def _check_text(text: str, slots: set[str], observed: int, position: Position) -> None:
    """A text may name slots of every query, and fields of the first `observed` observations."""
    steps = set(map(str, range(1, observed + 1)))
    for name in SLOT.findall(text):
        if name not in slots and not ("." in name and name.partition(".")[0] in steps):
            raise position.error(
                f"{name} is neither a slot of every query nor a field observed before"
            )


def _find_references(step: Step) -> list[str]:
    """Names in the arguments, in lists and objects too: no letter follows JSON's own braces."""
    return SLOT.findall(msgspec.json.encode(step.arguments).decode())


def _find_common_slots(
    queries: LocalizedTexts, language: Language, slots: Mapping[str, Slot], position: Position
) -> set[str]:
    """The slots that every query fills."""
    named = [set(SLOT.findall(query)) for query in getattr(queries, language)]
    if unknown := set().union(*named) - slots.keys():
        raise position.error(f"no values for the slots {sorted(unknown)}", "queries", language)
    return set.intersection(*named)
