"""Decide what the training data will hold, before anything is written.

reads   data/catalogue/     tools and scenarios
writes  data/plan.jsonl     Request, one a group of positives
        data/coverage.csv   tool x scenario x complexity x language, counted in the plan
        metrics/plan.json   counts, ratios and the least covered cell
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import Scenario
from agent_tuning.catalogue.grammar import Grammar
from agent_tuning.files import csv_records, jsonl, metrics_file
from agent_tuning.records import BadInput, Language, Record
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest

COMPLEXITIES = ("simple", "complex")


class PlanConfig(Record, frozen=True):
    seed: int
    groups: dict[Language, int]
    positives: int
    groups_per_prompt: int
    menu_sizes: tuple[int, ...]
    simple_per_complex: int
    minimum: dict[Language, int]
    held_out_tools: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cell:
    """One use of a tool; `capacity` is how many queries the grammar has for it, by language."""

    tool: str
    scenario: Scenario
    tools: frozenset[str]
    capacity: Mapping[Language, int]

    @property
    def complexity(self) -> str:
        return self.scenario.complexity


class Planner:
    """Draws the least used cells first, so that coverage is even; ties by the seed.

    A cell is left out when its grammar has no query more: another would be a near-duplicate.
    """

    def __init__(self, catalogue: Catalogue, p: PlanConfig) -> None:
        unknown = set(p.held_out_tools) - catalogue.entries.keys()
        if unknown:
            raise BadInput(f"params.yaml: plan.held_out_tools: no tools {sorted(unknown)}")
        planned = {language for language, groups in p.groups.items() if groups}
        for domain in catalogue.domain_of.values():
            if absent := planned - set(domain.languages):
                problem = f"domain {domain.domain} does not speak {sorted(absent)}"
                raise BadInput(f"params.yaml: plan.groups: {problem}")
        self.catalogue = catalogue
        self.p = p
        self.tools = sorted(catalogue.entries.keys() - set(p.held_out_tools))
        self.cells = [cell for cell in self._cells() if cell.tools <= set(self.tools)]
        if not self.cells:
            raise BadInput("plan: no tool of the catalogue has a scenario; add `scenarios`")
        self.used: Counter[tuple[Cell, Language]] = Counter()
        self.complex: Counter[Language] = Counter()

    def _cells(self) -> Iterator[Cell]:
        grammar = Grammar(self.catalogue)
        for tool, scenario in self.catalogue.cells():
            capacity = {
                language: grammar.capacity(scenario.queries, tool, language)
                for language in self.p.groups
            }
            tools = frozenset(step.tool for step in scenario.steps(tool))
            yield Cell(tool, scenario, tools, capacity)

    def requests(self, language: Language) -> Iterator[GroupRequest]:
        menu: tuple[str, ...] = ()
        prompt, member = -1, 0
        for number in range(self.p.groups[language]):
            rng = random.Random(f"{self.p.seed}:{language}:{number}")
            member = (member + 1) % self.p.groups_per_prompt
            chosen = self._chosen(number, set(menu), language, rng) if member else []
            if not chosen:  # a new prompt: the old one has its groups, or nothing new to ask
                prompt, member = prompt + 1, 0
                chosen = self._chosen(number, set(self.tools), language, rng)
                menu = self._menu(chosen, rng)
            if not chosen:
                raise BadInput(
                    f"plan: {language}: after {number} groups the grammar has no new queries; "
                    f"lower plan.groups.{language} or add phrasings"
                )
            name = f"{language}{prompt:05}"
            items = tuple(self._items(chosen, language))
            yield GroupRequest(f"{name}.{member}", name, language, menu, items)

    def _chosen(
        self, number: int, menu: set[str], language: Language, rng: random.Random
    ) -> list[Cell]:
        """Cells whose tools are on the `menu`; none if they have too few queries left.

        In pairs of siblings, so that a menu of theirs is full of near-duplicates.
        """
        offered = [cell for cell in self.cells if cell.tools <= menu]
        chosen: list[Cell] = []
        for place in range(self.p.positives):
            left = [
                cell
                for cell in offered
                if self.used[cell, language] + chosen.count(cell) < cell.capacity[language]
            ]
            if not left:
                return []
            near = self._neighbours(chosen[-1].tool) if place % 2 else menu
            planned = number * self.p.positives + place + 1
            wanted = "complex" if self._owes_complex(planned, chosen, language) else "simple"
            chosen.append(self._least_used(left, wanted, near, chosen, language, rng))
        return chosen

    def _owes_complex(self, planned: int, chosen: Sequence[Cell], language: Language) -> bool:
        """Is the next of `planned` trajectories to be complex?

        A menu may hold no such cell; the ratio then stays owed until a menu has one.
        """
        have = self.complex[language] + sum(cell.complexity == "complex" for cell in chosen)
        return planned // (self.p.simple_per_complex + 1) > have

    def _items(self, chosen: Sequence[Cell], language: Language) -> Iterator[TrajectoryRequest]:
        for cell in chosen:
            used = self.used[cell, language]
            yield TrajectoryRequest(cell.tool, cell.scenario.name, cell.complexity, used)
            self.used[cell, language] += 1
            self.complex[language] += cell.complexity == "complex"

    def _least_used(
        self,
        left: Sequence[Cell],
        wanted: str,
        near: set[str],
        chosen: Sequence[Cell],
        language: Language,
        rng: random.Random,
    ) -> Cell:
        taken = {cell.tool for cell in chosen}
        return min(
            left,
            key=lambda cell: (
                cell.complexity != wanted,
                cell in chosen,
                cell.tool not in near,
                self.used[cell, language],
                cell.tool in taken,
                rng.random(),
            ),
        )

    def _neighbours(self, tool: str) -> set[str]:
        return {tool, *self.catalogue.entries[tool].siblings} & set(self.tools)

    def _menu(self, chosen: Sequence[Cell], rng: random.Random) -> tuple[str, ...]:
        """The tools that are needed, then their siblings, then others, in seeded order."""
        needed = dict.fromkeys(tool for cell in chosen for tool in sorted(cell.tools))
        near = sorted({s for tool in needed for s in self._neighbours(tool)})
        rest = list(self.tools)
        rng.shuffle(near)
        rng.shuffle(rest)
        size = max(rng.choice(self.p.menu_sizes), len(needed))
        menu = list(dict.fromkeys([*needed, *near, *rest]))[:size]
        rng.shuffle(menu)
        return tuple(menu)


def count_coverage(planner: Planner, requests: Iterable[GroupRequest]) -> list[CoverageRow]:
    """One row a cell, counted in the requests; an unfilled one fails by name."""
    counts = Counter((r.language, item.tool, item.scenario) for r in requests for item in r.items)
    rows: list[CoverageRow] = []
    for cell in planner.cells:
        for language in planner.p.groups:
            name, complexity = cell.scenario.name, cell.complexity
            filled = counts[language, cell.tool, name]
            rows.append(CoverageRow(cell.tool, name, complexity, language, filled))
            if filled < planner.p.minimum[language]:
                raise BadInput(
                    f"plan: {cell.tool} x {name} x {language}: {filled} of at least "
                    f"{planner.p.minimum[language]} trajectories; raise plan.groups.{language}"
                )
    return rows


def check_ratio(requests: Iterable[GroupRequest], p: PlanConfig) -> Counter[tuple[Language, str]]:
    """Count what was planned; simple:complex further off than prompts explain fails by name.

    Each language rounds down to whole ones, and where menus hold no complex cell its last prompt
    may still owe those of its groups.
    """
    found = Counter((r.language, item.complexity) for r in requests for item in r.items)
    for language, groups in p.groups.items():
        simple, several = (found[language, kind] for kind in COMPLEXITIES)
        wanted = groups * p.positives // (p.simple_per_complex + 1)
        owed = -(-p.groups_per_prompt * p.positives // (p.simple_per_complex + 1))
        if abs(wanted - several) > owed:
            raise BadInput(
                f"plan: {language}: {simple} simple to {several} complex trajectories; "
                f"plan.simple_per_complex = {p.simple_per_complex} wants {wanted} complex "
                f"(± {owed}, the last prompt's)"
            )
    return found


def main(catalogue: Path, plan: Path, matrix: Path, metrics: Path) -> None:
    p = config.load("plan", PlanConfig)
    planner = Planner(Catalogue(catalogue), p)
    requests = [request for language in p.groups for request in planner.requests(language)]
    rows = count_coverage(planner, requests)
    found = check_ratio(requests, p)
    jsonl.write(plan, requests)
    csv_records.write(matrix, CoverageRow, rows)
    simple, several = (sum(found[name, kind] for name in p.groups) for kind in COMPLEXITIES)
    summary = {
        "groups": len(requests),
        "positives": simple + several,
        "simple": simple,
        "complex": several,
        "simple_per_complex": simple / several if several else 0.0,
        "cells": len(rows),
        "least_covered": min(row.count for row in rows),
    }
    metrics_file.write(metrics, summary)
    print(f"{plan}: {len(requests)} groups, {len(rows)} cells, all filled")


if __name__ == "__main__":
    cli.run(main)
