"""Draft tasks for people to review: `make draft`.

reads   SUITE/         the house suite: what it covers, and what it asks already
        TRAINING       the groups that training reads; a candidate never overlaps them
        params.yaml: candidates, draft, verify, synthesize (for the chat model)
        data/catalogue and the wordings
writes  CANDIDATES/    tools.jsonl, tasks.jsonl: a suite of its own
        STORE          what a chat model was paid for

The cells (tool x scenario x language) that the suite covers least come first. The scripted teacher
designs every task; a chat model, if chosen, writes the queries and the calls of the positives anew.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import LANGUAGES, SLOT, Catalogue, Scenario
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.records import Assistant, BadInput, Group, Language, Record, Trajectory, User
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.teachers import GroupRequest, Teacher, TrajectoryRequest, select
from agent_tuning.synthesis.teachers.scripted import strip_thought_prefix
from benchmark.annotation.review import contamination, merge
from benchmark.drafting.catalogue_tools import collect_tools
from benchmark.drafting.draft_house import DraftedTask, HouseDrafter
from benchmark.drafting.draft_sources import (
    DraftSources,
    TrainingFormats,
    TrainingTools,
    read_sources,
)
from benchmark.drafting.house_layout import HouseDraftConfig
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite, Task

Cell = tuple[str, str, Language]  # tool, scenario, language

MAX_TRIES = 40  # queries of a cell that may be known before it counts as exhausted


class CandidatesConfig(Record, frozen=True):
    teacher: select.TeacherName
    groups: int
    calls: int
    negatives: int


def count_coverage(catalogue: Catalogue, tasks: Iterable[Task]) -> Counter[Cell]:
    """How often the golds ask for each cell, told by what they say they are about to do."""
    goals = [
        (_pattern(getattr(turn.goal, language)), (tool, s.name, language))
        for tool, s in catalogue.cells()
        for language in LANGUAGES
        for turn in s.turns(tool)
    ]
    said = Counter((strip_thought_prefix(task.golds[0].thought), task.language) for task in tasks)
    found: Counter[Cell] = Counter()
    for (goal, language), count in said.items():
        for pattern, cell in goals:
            if cell[2] == language and pattern.fullmatch(goal):
                found[cell] += count
    return found


def _pattern(goal: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, SLOT.split(goal)[::2])), re.IGNORECASE)


class LeastCoveredDraft(HouseDrafter):
    """Drafts what the suite covers least; never what it, training or a reject asks already."""

    def __init__(
        self,
        sources: DraftSources,
        shape: HouseDraftConfig,
        tasks: Sequence[Task],
        rejected: Sequence[Task],
        fence: ContaminationFilter,
        unseen: bool,
    ) -> None:
        """`unseen`: every query is of a phrasing that training does not use."""
        super().__init__(sources, shape)
        self.cells = count_coverage(self.catalogue, tasks)
        self.first = next_group_number([*tasks, *rejected])
        self.queries |= {_query(task) for task in (*tasks, *rejected)}
        self.fence = fence
        self.sides = ("unseen",) if unseen else ("seen", "unseen")
        self.items: dict[str, TrajectoryRequest] = {}  # by the query drawn for them

    def _choose_axes(self, number: int, language: Language) -> dict[str, str]:
        """Tools of the side, seen or unseen in training, that has the thinnest cells."""
        thinnest = {
            side: sorted(self._count_requests(tool, language) for tool in tools)[: self.p.calls]
            for side, tools in self.tools.items()
        }
        side = min(thinnest, key=lambda side: thinnest[side])
        return super()._choose_axes(number, language) | {"tool": side}

    def _count_requests(self, tool: str, language: Language) -> int:
        return self.cells[self._cell(tool, language)]

    def _choose_scenario(self, tool: str, language: Language) -> Scenario:
        cell = self._cell(tool, language)
        self.cells[cell] += 1
        return self.catalogue.scenario(tool, cell[1])

    def _cell(self, tool: str, language: Language) -> Cell:
        """The least covered one of a tool."""
        cells: list[Cell] = [(tool, s.name, language) for s in self._list_scenarios(tool)]
        return min(cells, key=lambda cell: self.cells[cell])

    def _is_new(self, query: str) -> bool:
        return query not in self.queries and not self.fence.overlap(query, self.catalogue.entries)

    def _draw_query(
        self, axis: str, tool: str, scenario: Scenario, language: Language
    ) -> tuple[str, Trajectory]:
        """A phrasing that training uses may be exhausted: then one that it does not."""
        for side in self.sides[self.sides.index(axis) :] if axis in self.sides else self.sides:
            for _ in range(MAX_TRIES):
                index = self.uses[f"{tool}.{scenario.name}.{language}.{side}"]
                _, drawn = super()._draw_query(side, tool, scenario, language)
                if self._is_new(drawn.query):
                    self.queries.add(drawn.query)
                    self.items[drawn.query] = TrajectoryRequest(
                        tool, scenario.name, scenario.complexity, index
                    )
                    return side, drawn
        raise BadInput(
            f"{tool}.{scenario.name}.{language}: no query left that is new; add phrasings"
        )


def build_requests(
    tasks: Sequence[Task], items: Mapping[str, TrajectoryRequest]
) -> Iterator[GroupRequest]:
    """What a teacher is asked to write anew: each positive on the menu of its task."""
    for task in tasks:
        if item := items.get(_query(task)):
            menu = (key.removesuffix(f".{task.language}") for key in task.menu)
            yield GroupRequest(task.id, task.group, task.language, tuple(menu), (item,))


def rewrite_positives(
    tasks: Sequence[Task], thin: LeastCoveredDraft, teacher: Teacher
) -> Iterator[Task]:
    """The positives in a chat model's words; those it could not write are left out."""
    written = {one.group.id: one.group for one in teacher.write(build_requests(tasks, thin.items))}
    for task in tasks:
        if task.id not in written:
            yield task
            continue
        for trajectory in written[task.id].trajectories:
            cut, query = len(task.turns), trajectory.query
            if _called(trajectory, cut) and (query == _query(task) or thin._is_new(query)):
                thin.queries.add(query)
                gold = DraftedTask("unseen", trajectory, cut).gold
                turns = trajectory.turns[:cut]
                yield msgspec.structs.replace(task, turns=turns, golds=(gold,))


def _query(task: Task) -> str:
    return next(turn.text for turn in task.turns if isinstance(turn, User))


def _called(trajectory: Trajectory, cut: int) -> bool:
    turn = trajectory.turns[cut] if cut < len(trajectory.turns) else None
    return isinstance(turn, Assistant) and turn.decision == "call"


def next_group_number(tasks: Iterable[Task]) -> int:
    """The number after the last group: ids never come back."""
    numbers = (re.search(r"g(\d+)$", task.group) for task in tasks)
    return max((int(found.group(1)) + 1 for found in numbers if found), default=0)


def main(folder: Path, training: Path, out: Path, store: Path) -> None:
    p = config.load("candidates", CandidatesConfig)
    tasks, rejected = suites.read(folder).tasks, merge.read_rejected(folder)
    _refuse_to_overwrite(out, {task.id for task in (*tasks, *rejected)})
    shape = msgspec.structs.replace(
        config.load("draft", HouseDraftConfig),
        groups=p.groups,
        calls=p.calls,
        negatives=p.negatives,
    )
    fence = contamination.build_training_filter(jsonl.read(training, Group))
    sources = read_sources(
        config.load("plan", TrainingTools).held_out_tools,
        config.load("diversify", TrainingFormats).held_out,
    )
    thin = LeastCoveredDraft(sources, shape, tasks, rejected, fence, unseen=p.teacher != "scripted")
    drafted = list(thin.tasks(thin.first))
    if p.teacher != "scripted":
        chat = msgspec.structs.replace(
            config.load("synthesize", select.SynthesizeConfig), teacher=p.teacher
        )
        teacher = select.choose_teacher(chat, thin.teachers["unseen"], store)
        drafted = list(rewrite_positives(drafted, thin, teacher))
    tools = collect_tools(thin.catalogue, [task.menu for task in drafted])
    suites.write(out, Suite(out.name, tools, tuple(drafted)))
    print(f"{out}: {len(drafted)} candidates by teacher {p.teacher}; review them: make review")


def _refuse_to_overwrite(out: Path, known: set[str]) -> None:
    """Reviews of candidates that are not merged yet would be lost with them."""
    if (out / "reviews.jsonl").exists() and (out / "tasks.jsonl").exists():
        left = [task.id for task in jsonl.read(out / "tasks.jsonl", Task) if task.id not in known]
        if left:
            raise BadInput(
                f"{out}: {left[0]} and {len(left) - 1} more are not merged; `make merge` first, "
                f"or delete {out / 'tasks.jsonl'}"
            )


if __name__ == "__main__":
    cli.run(main)
