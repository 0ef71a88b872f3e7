"""The planner: which trajectories the training data will hold, decided before any is written."""

import random
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import Scenario
from agent_tuning.catalogue.grammar import Grammar
from agent_tuning.records import BadInput, Language, Record
from agent_tuning.runtime.ranges import AtLeastOne, Count, NonEmpty, Seed
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest

COMPLEXITIES = ("simple", "complex")


class PlanConfig(Record, frozen=True):
    """The section `plan` of params.yaml, where each key is explained."""

    seed: Seed
    groups: dict[Language, Count]
    positives: AtLeastOne
    groups_per_prompt: AtLeastOne
    tools_per_prompt: NonEmpty[AtLeastOne]
    simple_per_complex: Count
    minimum: dict[Language, Count]
    per_cell: AtLeastOne | None = None
    scenarios_per_tool: AtLeastOne | None = None

    def __post_init__(self) -> None:
        if missing := self.groups.keys() - self.minimum.keys():
            raise ValueError(f"minimum: expected a number for {', '.join(sorted(missing))}")


@dataclass(frozen=True, eq=False)
class Cell:
    """One scenario of one tool; `capacity` is how many queries may be planned, by language.

    These are as many as the grammar has, and no more than `per_cell`.
    """

    tool: str
    scenario: Scenario
    tools: frozenset[str]  # every tool that the scenario calls
    capacity: Mapping[Language, int]

    @property
    def complexity(self) -> str:
        return self.scenario.complexity


def keep_first_scenarios(cells: Sequence[Cell], most: int | None) -> list[Cell]:
    """The first `most` cells of every tool, in their order; None: all."""
    seen: Counter[str] = Counter()
    kept = []
    for cell in cells:
        seen[cell.tool] += 1
        if most is None or seen[cell.tool] <= most:
            kept.append(cell)
    return kept


class Planner:
    """Draws the least used cells first, so that coverage is even. The seed breaks ties.

    A cell is used up when its grammar has no more queries: another would be a near-duplicate.
    `requests` counts what it uses in `used`, so plan each language once with one planner.
    """

    def __init__(
        self, catalogue: Catalogue, config: PlanConfig, held_out_tools: Collection[str]
    ) -> None:
        unknown = set(held_out_tools) - catalogue.entries.keys()
        if unknown:
            raise BadInput(f"params.yaml: held_out.tools: not in the catalogue: {sorted(unknown)}")
        planned = {language for language, groups in config.groups.items() if groups}
        for domain in catalogue.domain_of.values():
            if absent := planned - set(domain.languages):
                raise BadInput(
                    f"params.yaml: plan.groups: domain {domain.domain} has no texts in "
                    f"{sorted(absent)}; set the groups of that language to 0, or add the texts"
                )
        self.catalogue = catalogue
        self.config = config
        self.tools = sorted(catalogue.entries.keys() - set(held_out_tools))
        cells = [cell for cell in self._list_cells() if cell.tools <= set(self.tools)]
        self.cells = keep_first_scenarios(cells, config.scenarios_per_tool)
        if not self.cells and planned:
            raise BadInput("plan: no tool of the catalogue has a scenario; add `scenarios`")
        self.used: Counter[tuple[Cell, Language]] = Counter()
        self._complex_used: Counter[Language] = Counter()

    def requests(self, language: Language) -> Iterator[GroupRequest]:
        """Every group that the plan asks for in this language.

        Consecutive groups share a prompt, up to `groups_per_prompt` of them. Raises BadInput if
        the grammar has too few queries.
        """
        tools: tuple[str, ...] = ()
        prompt, member = -1, 0
        for number in range(self.config.groups[language]):
            rng = random.Random(f"{self.config.seed}:{language}:{number}")
            member = (member + 1) % self.config.groups_per_prompt
            cells = self._choose_cells(number, set(tools), language, rng) if member else []
            if not cells:  # a new prompt: the old one has all its groups, or no new queries
                prompt, member = prompt + 1, 0
                cells = self._choose_cells(number, set(self.tools), language, rng)
                tools = self._draw_tool_list(cells, rng)
            if not cells:
                raise BadInput(
                    f"plan: {language}: after {number} groups the grammar has no new queries; "
                    f"lower plan.groups.{language} or add phrasings"
                )
            name = f"{language}{prompt:05}"
            items = tuple(self._take_items(cells, language))
            yield GroupRequest(f"{name}.{member}", name, language, tools, items)

    def _list_cells(self) -> Iterator[Cell]:
        grammar = Grammar(self.catalogue)
        most = self.config.per_cell or sys.maxsize
        for tool, scenario in self.catalogue.cells():
            capacity = {
                language: min(grammar.capacity(scenario.queries, tool, language), most)
                for language in self.config.groups
            }
            tools = frozenset(step.tool for step in scenario.steps(tool))
            yield Cell(tool, scenario, tools, capacity)

    def _choose_cells(
        self, number: int, tools: set[str], language: Language, rng: random.Random
    ) -> list[Cell]:
        """A cell for each positive of a group, all within `tools`; [] if too few queries are left.

        Every second cell is of a sibling of the tool before, so that the tool list holds
        near-duplicates.
        """
        within = [cell for cell in self.cells if cell.tools <= tools]
        chosen: list[Cell] = []
        for position in range(self.config.positives):
            left = [
                cell
                for cell in within
                if self.used[cell, language] + chosen.count(cell) < cell.capacity[language]
            ]
            if not left:
                return []
            preferred = self._list_siblings(chosen[-1].tool) if position % 2 else tools
            planned = number * self.config.positives + position + 1
            complexity = "complex" if self._owes_complex(planned, chosen, language) else "simple"
            chosen.append(self._least_used(left, complexity, preferred, chosen, language, rng))
        return chosen

    def _owes_complex(self, planned: int, chosen: Sequence[Cell], language: Language) -> bool:
        """Must the last of `planned` trajectories be complex to keep the ratio?

        A tool list may have no complex cell. The plan then owes one until a tool list has it.
        """
        have = self._complex_used[language] + sum(cell.complexity == "complex" for cell in chosen)
        return planned // (self.config.simple_per_complex + 1) > have

    def _least_used(
        self,
        left: Sequence[Cell],
        complexity: str,
        preferred: set[str],
        chosen: Sequence[Cell],
        language: Language,
        rng: random.Random,
    ) -> Cell:
        chosen_tools = {cell.tool for cell in chosen}
        return min(
            left,
            key=lambda cell: (
                cell.complexity != complexity,
                cell in chosen,
                cell.tool not in preferred,
                self.used[cell, language],
                cell.tool in chosen_tools,
                rng.random(),
            ),
        )

    def _take_items(self, cells: Sequence[Cell], language: Language) -> Iterator[TrajectoryRequest]:
        """The next unused query of each cell, which counts as used from then on."""
        for cell in cells:
            index = self.used[cell, language]
            yield TrajectoryRequest(cell.tool, cell.scenario.name, cell.complexity, index)
            self.used[cell, language] += 1
            self._complex_used[language] += cell.complexity == "complex"

    def _list_siblings(self, tool: str) -> set[str]:
        """The tool and its siblings, without those that are held out."""
        return {tool, *self.catalogue.entries[tool].siblings} & set(self.tools)

    def _draw_tool_list(self, cells: Sequence[Cell], rng: random.Random) -> tuple[str, ...]:
        """The tools that the cells call, then siblings of these, then others, in seeded order."""
        needed = dict.fromkeys(tool for cell in cells for tool in sorted(cell.tools))
        siblings = sorted({name for tool in needed for name in self._list_siblings(tool)})
        others = list(self.tools)
        rng.shuffle(siblings)
        rng.shuffle(others)
        size = max(rng.choice(self.config.tools_per_prompt), len(needed))
        tools = list(dict.fromkeys([*needed, *siblings, *others]))[:size]
        rng.shuffle(tools)
        return tuple(tools)


def count_coverage(planner: Planner, requests: Iterable[GroupRequest]) -> list[CoverageRow]:
    """One row for each cell and language, counted in the requests.

    Raises BadInput at the first cell that has less than the minimum of its language.
    """
    config = planner.config
    counts = Counter(
        (request.language, item.tool, item.scenario)
        for request in requests
        for item in request.items
    )
    rows: list[CoverageRow] = []
    for cell in planner.cells:
        for language in config.groups:
            scenario = cell.scenario.name
            count = counts[language, cell.tool, scenario]
            rows.append(CoverageRow(cell.tool, scenario, cell.complexity, language, count))
            if count < config.minimum[language]:
                raise BadInput(
                    f"plan: {cell.tool} x {scenario} x {language}: {count} of at least "
                    f"{config.minimum[language]} trajectories; raise plan.groups.{language}"
                )
    return rows


def check_ratio(
    planner: Planner, requests: Iterable[GroupRequest]
) -> Counter[tuple[Language, str]]:
    """Count the planned trajectories by language and complexity.

    Raises BadInput if simple to complex is further from `simple_per_complex` than prompts explain.
    Each language rounds down to whole trajectories. If the last tool list has no complex cell, its
    groups still owe theirs at the end. No more complex ones are wanted than the grammar has.
    """
    config = planner.config
    counts = Counter(
        (request.language, item.complexity) for request in requests for item in request.items
    )
    for language, groups in config.groups.items():
        simple, several = (counts[language, complexity] for complexity in COMPLEXITIES)
        known = sum(c.capacity[language] for c in planner.cells if c.complexity == "complex")
        wanted = min(known, groups * config.positives // (config.simple_per_complex + 1))
        owed = -(-config.groups_per_prompt * config.positives // (config.simple_per_complex + 1))
        if abs(wanted - several) > owed:
            raise BadInput(
                f"plan: {language}: {simple} simple to {several} complex trajectories; "
                f"plan.simple_per_complex = {config.simple_per_complex} requires {wanted} complex "
                f"(± {owed} for the last prompt)"
            )
    return counts


def summarize(requests: Sequence[GroupRequest], rows: Sequence[CoverageRow]) -> dict[str, float]:
    """The metrics of a plan: counts, the ratio of simple to complex, and the least covered cell."""
    counts = Counter(item.complexity for request in requests for item in request.items)
    simple, several = (counts[complexity] for complexity in COMPLEXITIES)
    return {
        "groups": len(requests),
        "positives": simple + several,
        "simple": simple,
        "complex": several,
        "simple_per_complex": simple / several if several else 0.0,
        "cells": len(rows),
        "least_covered": min((row.count for row in rows), default=0),
    }
