"""The catalogue: every tool of a folder with its scenarios, one YAML file a domain."""

from collections.abc import Iterator
from pathlib import Path

from agent_tuning.catalogue import entry_checks
from agent_tuning.catalogue.entry_checks import Position
from agent_tuning.catalogue.entry_records import Domain, Scenario, ToolEntry
from agent_tuning.catalogue.simulators import World
from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Language, Tool


class Catalogue:
    """Every domain of a folder; `entries` maps a tool's name to its entry.

    Raises BadInput with file, line and field at the first mistake in a file.
    """

    def __init__(self, folder: Path) -> None:
        self.entries: dict[str, ToolEntry] = {}
        self.domain_of: dict[str, Domain] = {}
        self._tools: dict[tuple[str, Language], Tool] = {}
        files = sorted(folder.glob("*.yaml"))
        if not files:
            raise BadInput(f"{folder}: no catalogue: expected one YAML file per domain")
        positions: dict[str, Position] = {}
        for path in files:
            domain = yaml_records.read(path, Domain)
            entry_checks.check_languages(domain, path)
            for number, entry in enumerate(domain.tools):
                position = Position(path, ("tools", str(number)))
                if entry.name in self.entries:
                    raise position.error(f"two tools are named {entry.name}", "name")
                self.entries[entry.name] = entry
                self.domain_of[entry.name] = domain
                positions[entry.name] = position
        for name, position in positions.items():  # only now: an entry may name any other
            entry = self.entries[name]
            entry_checks.check_entry(entry, self.entries, self.domain_of[name], position)
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
