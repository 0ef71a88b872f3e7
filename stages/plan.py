"""Decide what the training data will hold, before anything is written.

reads   data/catalogue/     tools and scenarios
writes  data/plan.jsonl     Request, one a group of positives
        data/coverage.csv   tool x scenario x complexity x language, counted in the plan
        metrics/plan.json   counts and the least covered cell
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from trajectory import command, jsonl, metricfile, params, tables
from trajectory.catalogue import Catalogue, Scenario
from trajectory.covered import Covered
from trajectory.records import BadInput, Language, Record
from trajectory.teachers import Item, Request


class Params(Record, frozen=True):
    seed: int
    groups: dict[Language, int]
    positives: int
    groups_per_prompt: int
    menu_size: int
    simple_per_complex: int
    minimum: dict[Language, int]
    held_out_tools: tuple[str, ...]


class Cell(NamedTuple):
    tool: str
    scenario: Scenario

    @property
    def name(self) -> str:
        return f"{self.tool}.{self.scenario.name}"

    @property
    def tools(self) -> set[str]:
        return {step.tool for step in self.scenario.steps(self.tool)}


class Planner:
    """Draws the least used cells first, so that coverage is even; ties by the seed."""

    def __init__(self, catalogue: Catalogue, p: Params) -> None:
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
        cells = [Cell(tool, scenario) for tool, scenario in catalogue.cells()]
        self.cells = [cell for cell in cells if cell.tools <= set(self.tools)]
        if not self.cells:
            raise BadInput("plan: no tool of the catalogue has a scenario; add `scenarios`")
        self.used: Counter[tuple[str, Language]] = Counter()

    def requests(self, language: Language) -> Iterator[Request]:
        positives = self.p.groups[language] * self.p.positives
        complexities = ["simple"] * positives
        step = self.p.simple_per_complex + 1
        complexities[step - 1 :: step] = ["complex"] * (positives // step)
        menu: tuple[str, ...] = ()
        for number in range(self.p.groups[language]):
            prompt, member = divmod(number, self.p.groups_per_prompt)
            rng = random.Random(f"{self.p.seed}:{language}:{number}")
            start = number * self.p.positives
            wanted = complexities[start : start + self.p.positives]
            chosen = self._chosen(wanted, set(menu) if member else set(), language, rng)
            if not member:
                menu = self._menu(chosen, rng)
            name = f"{language}{prompt:05}.{member}"
            yield Request(name, language, menu, tuple(self._items(chosen, language)))

    def _chosen(
        self, complexities: Sequence[str], menu: set[str], language: Language, rng: random.Random
    ) -> list[Cell]:
        """Cells of pairs of siblings, so that a menu of theirs is full of near-duplicates.

        With a `menu` already there, cells whose tools are on it.
        """
        chosen: list[Cell] = []
        for number, complexity in enumerate(complexities):
            near = self._neighbours(chosen[-1].tool) if number % 2 else set(self.tools)
            chosen.append(self._least_used(complexity, near, menu, chosen, language, rng))
        return chosen

    def _items(self, chosen: Sequence[Cell], language: Language) -> Iterator[Item]:
        for cell in chosen:
            used = self.used[cell.name, language]
            yield Item(cell.tool, cell.scenario.name, cell.scenario.complexity, used)
            self.used[cell.name, language] += 1

    def _least_used(
        self,
        complexity: str,
        near: set[str],
        menu: set[str],
        chosen: Sequence[Cell],
        language: Language,
        rng: random.Random,
    ) -> Cell:
        offered = [cell for cell in self.cells if not menu or cell.tools <= menu]
        fresh = [cell for cell in offered if cell not in chosen] or offered
        # A menu may hold no chain: the ratio of complexities gives way to the shared prompt.
        right = [cell for cell in fresh if cell.scenario.complexity == complexity] or fresh
        taken = {cell.tool for cell in chosen}
        return min(
            right,
            key=lambda cell: (
                cell.tool not in near,
                self.used[cell.name, language],
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
        menu = list(dict.fromkeys([*needed, *near, *rest]))[: max(self.p.menu_size, len(needed))]
        rng.shuffle(menu)
        return tuple(menu)


def coverage(planner: Planner) -> list[Covered]:
    """One row a cell; an unfilled one fails by name."""
    rows: list[Covered] = []
    for cell in planner.cells:
        for language in planner.p.groups:
            filled = planner.used[cell.name, language]
            name, complexity = cell.scenario.name, cell.scenario.complexity
            rows.append(Covered(cell.tool, name, complexity, language, filled))
            if filled < planner.p.minimum[language]:
                raise BadInput(
                    f"plan: {cell.tool} x {cell.scenario.name} x {language}: {filled} of at least "
                    f"{planner.p.minimum[language]} trajectories; raise plan.groups.{language}"
                )
    return rows


def main(catalogue: Path, plan: Path, matrix: Path, metrics: Path) -> None:
    p = params.load("plan", Params)
    planner = Planner(Catalogue(catalogue), p)
    requests = [request for language in p.groups for request in planner.requests(language)]
    rows = coverage(planner)
    jsonl.write(plan, requests)
    tables.write(matrix, Covered, rows)
    complexities = Counter(item.complexity for request in requests for item in request.items)
    summary = {
        "groups": len(requests),
        "positives": complexities.total(),
        "simple": complexities["simple"],
        "complex": complexities["complex"],
        "cells": len(rows),
        "least_covered": min(row.count for row in rows),
    }
    metricfile.write(metrics, summary)
    print(f"{plan}: {len(requests)} groups, {len(rows)} cells, all filled")


if __name__ == "__main__":
    command.run(main)
