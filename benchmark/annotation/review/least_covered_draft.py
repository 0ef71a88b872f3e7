"""Draft the tasks that a suite covers least."""

import re
from collections.abc import Iterable, Sequence

from agent_tuning.catalogue.entry_records import Scenario
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.records import BadInput, Language, Trajectory, User
from agent_tuning.synthesis.teachers import TrajectoryRequest
from benchmark.annotation.review.coverage import Cell, count_coverage
from benchmark.drafting.draft_house import HouseDrafter
from benchmark.drafting.draft_sources import DraftSources
from benchmark.drafting.house_layout import HouseDraftConfig
from benchmark.tasks.suites import Suite, Task

MAX_TRIES = 40  # known queries of a cell before the cell counts as exhausted


class LeastCoveredDraft(HouseDrafter):
    """Drafts what the suite covers least. No query repeats the suite, training or a reject."""

    def __init__(
        self,
        sources: DraftSources,
        draft_config: HouseDraftConfig,
        suite: Suite,
        rejected: Sequence[Task],
        training_filter: ContaminationFilter,
        unseen_only: bool,
    ) -> None:
        """With `unseen_only`, every query has a phrasing that training does not use."""
        super().__init__(sources, draft_config)
        self.cells = count_coverage(self.catalogue, suite)
        self.first = next_group_number([*suite.tasks, *rejected])
        self.queries |= {first_query(task) for task in (*suite.tasks, *rejected)}
        self.training_filter = training_filter
        self.sides = ("unseen",) if unseen_only else ("seen", "unseen")
        self.items: dict[str, TrajectoryRequest] = {}  # by the query drawn for each

    def _choose_axes(self, number: int, language: Language) -> dict[str, str]:
        """Choose the tools, seen or unseen in training, whose cells are covered least."""
        lowest_counts = {
            side: sorted(self._count_requests(tool, language) for tool in tools)[: self.p.calls]
            for side in self.tools
            if len(tools := self._list_askable(side, language)) >= self.p.calls
        } or {"seen": []}  # too few, which the choice of the tools says
        side = min(lowest_counts, key=lambda side: lowest_counts[side])
        return super()._choose_axes(number, language) | {"tool": side}

    def _count_requests(self, tool: str, language: Language) -> int:
        return self.cells[self._find_cell(tool, language)]

    def _choose_scenario(self, tool: str, language: Language) -> Scenario:
        cell = self._find_cell(tool, language)
        self.cells[cell] += 1
        return self.catalogue.scenario(tool, cell[1])

    def _find_cell(self, tool: str, language: Language) -> Cell:
        """The least covered cell of a tool."""
        cells: list[Cell] = [
            (tool, scenario.name, language) for scenario in self._list_scenarios(tool)
        ]
        return min(cells, key=lambda cell: self.cells[cell])

    def is_new(self, query: str) -> bool:
        """Whether neither the suite, an earlier draft nor training has the query."""
        tools = self.catalogue.entries
        return query not in self.queries and not self.training_filter.overlap(query, tools)

    def _draw_query(
        self, axis: str, tool: str, scenario: Scenario, language: Language
    ) -> tuple[str, Trajectory]:
        """Fall back to a phrasing that training does not use if the others are exhausted."""
        for side in self.sides[self.sides.index(axis) :] if axis in self.sides else self.sides:
            for _ in range(MAX_TRIES):
                index = self.uses[f"{tool}.{scenario.name}.{language}.{side}"]
                _, trajectory = super()._draw_query(side, tool, scenario, language)
                if self.is_new(trajectory.query):
                    self.queries.add(trajectory.query)
                    self.items[trajectory.query] = TrajectoryRequest(
                        tool, scenario.name, scenario.complexity, index
                    )
                    return side, trajectory
        raise BadInput(
            f"{tool}.{scenario.name}.{language}: no unused query is left; "
            "add phrasings to the catalogue"
        )


def first_query(task: Task) -> str:
    return next(turn.text for turn in task.turns if isinstance(turn, User))


def next_group_number(tasks: Iterable[Task]) -> int:
    """The number after the last group, so that no id is used twice."""
    matches = (re.search(r"g(\d+)$", task.prompt) for task in tasks)
    return max((int(match.group(1)) + 1 for match in matches if match), default=0)
