"""The catalogue: every tool of a folder with its scenarios, one YAML file a domain."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from agent_tuning.catalogue import entry_checks
from agent_tuning.catalogue.entry_checks import Position
from agent_tuning.catalogue.entry_records import Domain, Scenario, ToolEntry
from agent_tuning.catalogue.simulators import World
from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Language, Record, Tool


class CatalogueConfig(Record, frozen=True):
    """The section `catalogue`: the domains whose tools are used; None stands for all."""

    domains: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None


class Catalogue:
    """The tools of a folder, of all its domains or of some; `entries` maps a name to its entry.

    A scenario of these domains may call a tool of another one. It is left out, because no prompt
    would offer that tool. `left_out` names all that was left out so.

    Raises BadInput with file, line and field at the first mistake in a file, in whatever domain.
    """

    def __init__(self, folder: Path, domains: Collection[str] | None = None) -> None:
        self.entries: dict[str, ToolEntry] = {}
        self.domain_of: dict[str, Domain] = {}
        self._tools: dict[tuple[str, Language], Tool] = {}
        files = sorted(folder.glob("*.yaml"))
        if not files:
            raise BadInput(f"{folder}: no catalogue: expected one YAML file per domain")
        positions: dict[str, Position] = {}
        for path in files:
            domain = yaml_records.read(path, Domain)
            entry_checks.check_values(domain, path)
            entry_checks.check_languages(domain, path)
            for number, entry in enumerate(domain.tools):
                position = Position(path, ("tools", str(number)))
                if entry.name in self.entries:
                    raise position.error(f"two tools are named {entry.name}", "name")
                self.entries[entry.name] = entry_checks.write_out_parameters(entry, position)
                self.domain_of[entry.name] = domain
                positions[entry.name] = position
        for name, position in positions.items():  # only now: an entry may name any other
            entry = self.entries[name]
            entry_checks.check_entry(entry, self.entries, self.domain_of[name], position)
        self.left_out: tuple[str, ...] = ()
        if domains is not None:
            self._keep_domains(folder, domains)
        self._observations = {
            name: entry.observations for name, entry in self.entries.items() if entry.observations
        }

    def world(self) -> World:
        """A fresh world for the tool calls of one conversation."""
        return World(authored_observations=self._observations)

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

    def list_tools(self, domains: Collection[str]) -> list[str]:
        """The names of the tools of these domains, in order."""
        return [name for name, domain in self.domain_of.items() if domain.domain in domains]

    def _keep_domains(self, folder: Path, domains: Collection[str]) -> None:
        """Forget the other domains' tools, and every scenario and sibling that needs one."""
        available = sorted({domain.domain for domain in self.domain_of.values()})
        if unknown := sorted(set(domains) - set(available)):
            names = ", ".join(available)
            raise BadInput(f"{folder}: no domain {unknown[0]!r}; available: {names}")
        kept = {
            name: e for name, e in self.entries.items() if self.domain_of[name].domain in domains
        }
        self.left_out = tuple(
            text for name, entry in kept.items() for text in _list_outside(name, entry, kept)
        )
        self.entries = {name: _leave_out(entry, kept) for name, entry in kept.items()}
        self.domain_of = {name: self.domain_of[name] for name in kept}


def _list_outside(name: str, entry: ToolEntry, kept: Collection[str]) -> Iterator[str]:
    """What a tool has to do without if only the tools in `kept` are there."""
    for scenario in entry.scenarios:
        called = dict.fromkeys(step.tool for step in scenario.steps(name))
        if outside := [tool for tool in called if tool not in kept]:
            yield f"scenario {name}.{scenario.name} (it calls {', '.join(outside)})"
    for sibling in entry.siblings:
        if sibling not in kept:
            yield f"sibling {sibling} of {name}"


def _leave_out(entry: ToolEntry, kept: Collection[str]) -> ToolEntry:
    scenarios = (
        scenario
        for scenario in entry.scenarios
        if all(step.tool in kept for step in scenario.steps(entry.name))
    )
    siblings = (sibling for sibling in entry.siblings if sibling in kept)
    return msgspec.structs.replace(entry, scenarios=tuple(scenarios), siblings=tuple(siblings))
