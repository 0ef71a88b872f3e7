"""Draft tasks for people to review: `python -m benchmark.people.candidates` (`make draft`).

reads   SUITE/         the house suite: what it covers, and what it asks already
        TRAINING       the groups that training reads; a candidate never overlaps them
        params.yaml: candidates, draft, synthesize (the chat model);  data/catalogue and wordings
writes  CANDIDATES/    tools.jsonl, tasks.jsonl: a suite of its own
        STORE          what a chat model was paid for

The cells (tool x scenario x language) that the suite covers least come first. The scripted teacher
designs every task; a chat model, if chosen, writes the queries and the calls of the positives anew.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from benchmark import draft, suites
from benchmark.draft import Drafted, sources
from benchmark.people import merge
from benchmark.suites import Task
from trajectory import command, jsonl, params
from trajectory.catalogue import LANGUAGES, SLOT, Catalogue, Scenario
from trajectory.protected import Fence
from trajectory.records import Assistant, BadInput, Group, Language, Record, Trajectory, User
from trajectory.teachers import Item, Request, Teacher, choice
from trajectory.teachers.scripted import sentence

Cell = tuple[str, str, Language]  # tool, scenario, language

TRIES = 40  # queries of a cell that may be known before it counts as exhausted


class Params(Record, frozen=True):
    teacher: choice.Name
    groups: int
    calls: int
    negatives: int


def covered(catalogue: Catalogue, tasks: Iterable[Task]) -> Counter[Cell]:
    """How often the golds ask for each cell, told by what they say they are about to do."""
    goals = [
        (_pattern(sentence(getattr(step.goal, language), language)), (tool, s.name, language))
        for tool, s in catalogue.cells()
        for language in LANGUAGES
        for step in s.steps(tool)
    ]
    thoughts = Counter((task.golds[0].thought, task.language) for task in tasks)
    found: Counter[Cell] = Counter()
    for (thought, language), count in thoughts.items():
        for pattern, cell in goals:
            if cell[2] == language and pattern.fullmatch(thought):
                found[cell] += count
    return found


def _pattern(goal: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, SLOT.split(goal)[::2])), re.IGNORECASE)


class Thin(draft.Draft):
    """Drafts what the suite covers least; never what it, training or a reject asks already."""

    cells: Counter[Cell]
    fence: Fence
    teacher_writes: bool = False
    items: dict[str, Item]  # by the query drawn for them

    def knowing(self, cells: Counter[Cell], tasks: Iterable[Task], trained: Fence) -> "Thin":
        self.cells = cells
        self.said |= {turn.text for t in tasks for turn in t.turns if isinstance(turn, User)}
        self.fence = trained
        self.items = {}
        return self

    def _asked(self, tool: str, language: Language) -> int:
        return self.cells[self._cell(tool, language)]

    def _scenario(self, tool: str, language: Language) -> Scenario:
        cell = self._cell(tool, language)
        self.cells[cell] += 1
        return self.catalogue.scenario(tool, cell[1])

    def _cell(self, tool: str, language: Language) -> Cell:
        """The least covered one of a tool."""
        cells: list[Cell] = [
            (tool, s.name, language) for s in self.catalogue.entries[tool].scenarios
        ]
        return min(cells, key=lambda cell: self.cells[cell])

    def _new(self, query: str) -> bool:
        return query not in self.said and not self.fence.overlap(query)

    def _drawn(
        self, axis: str, tool: str, scenario: Scenario, language: Language
    ) -> tuple[str, Trajectory]:
        """A phrasing that training uses may be exhausted: then one that it does not."""
        for side in dict.fromkeys(["unseen" if self.teacher_writes else axis, "unseen"]):
            for _ in range(TRIES):
                index = self.drawn[f"{tool}.{scenario.name}.{language}.{side}"]
                _, drawn = super()._drawn(side, tool, scenario, language)
                if self._new(drawn.query):
                    self.said.add(drawn.query)
                    self.items[drawn.query] = Item(tool, scenario.name, scenario.complexity, index)
                    return side, drawn
        raise BadInput(
            f"{tool}.{scenario.name}.{language}: no query left that is new; add phrasings"
        )


def rewritten(tasks: Sequence[Task], thin: Thin, teacher: Teacher) -> Iterator[Task]:
    """The positives in a chat model's words; those it could not write are left out."""
    items = {task.id: thin.items[q] for task in tasks if (q := _query(task)) in thin.items}
    requests = [
        Request(
            task.id,
            task.language,
            tuple(key.removesuffix(f".{task.language}") for key in task.menu),
            (items[task.id],),
        )
        for task in tasks
        if task.id in items
    ]
    written = {one.group.id: one.group.trajectories for one in teacher.write(requests)}
    for task in tasks:
        if task.id not in items:
            yield task
            continue
        for trajectory in written[task.id]:
            cut = len(task.turns)
            if _called(trajectory, cut) and thin._new(trajectory.query):
                gold = Drafted("unseen", trajectory, cut).gold
                turns = trajectory.turns[:cut]
                yield msgspec.structs.replace(task, turns=turns, golds=(gold,))


def _query(task: Task) -> str:
    return next(turn.text for turn in task.turns if isinstance(turn, User))


def _called(trajectory: Trajectory, cut: int) -> bool:
    turn = trajectory.turns[cut] if cut < len(trajectory.turns) else None
    return isinstance(turn, Assistant) and turn.decision == "call"


def first_number(tasks: Iterable[Task]) -> int:
    """The number after the last group: ids never come back."""
    numbers = (re.search(r"g(\d+)$", task.group) for task in tasks)
    return max((int(found.group(1)) + 1 for found in numbers if found), default=0)


def main(folder: Path, training: Path, out: Path, store: Path) -> None:
    p = params.load("candidates", Params)
    suite = suites.read(folder)
    known = [*suite.tasks, *merge.all_rejected(folder)]
    _refuse_to_overwrite(out, {task.id for task in known})
    shape = params.load("draft", draft.Params)
    shape = msgspec.structs.replace(shape, groups=p.groups, calls=p.calls, negatives=p.negatives)
    thin = Thin(*sources(), shape)
    trained = Fence(
        one.query for group in jsonl.read(training, Group) for one in group.trajectories
    )
    thin.knowing(covered(thin.catalogue, suite.tasks), known, trained)
    thin.teacher_writes = p.teacher != "scripted"
    tasks = list(thin.tasks(first_number(known)))
    if thin.teacher_writes:
        chat = params.load("synthesize", choice.Params)
        chat = msgspec.structs.replace(chat, teacher=p.teacher)
        teacher = choice.chosen(chat, thin.teachers["unseen"], store)
        tasks = list(rewritten(tasks, thin, teacher))
    jsonl.write(out / "tools.jsonl", draft.entries(thin.catalogue, tasks))
    jsonl.write(out / "tasks.jsonl", tasks)
    print(f"{out}: {len(tasks)} candidates by teacher {p.teacher}; review them with `make review`")


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
    command.run(main)
