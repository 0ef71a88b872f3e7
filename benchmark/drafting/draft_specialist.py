"""Draft a suite from the grammar: `python -m benchmark.drafting.draft_specialist FOLDER`.

reads   params.yaml: draft_specialist, and of the recipe `specialist` the domains;
        data/catalogue and wordings;  FOLDER-N/, the version before, if it is kept
writes  FOLDER/tools.jsonl, prompts.jsonl, tasks.jsonl, version.json

Every prompt lists all tools of the recipe's domains, as a company's assistant has them. So there is
no tool to take away from a list: what no tool can do comes from the grammar of other domains.
`own_suite` drafts with it for any recipe.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.catalogue.entry_records import Scenario
from agent_tuning.records import Assistant, BadInput, Group, PromptSpec, Record, Trajectory, User
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import AtLeastOne, Count, Seed
from agent_tuning.synthesis.hard_negatives import KINDS, NegativeSource
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.negative_selection import NegativesConfig
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from benchmark.drafting.draft_sources import SHOP, DraftSources, read_sources
from benchmark.drafting.drafter import DraftedTask, Drafter, write_draft
from benchmark.drafting.native_prompts import build_native_prompt, deal_out, join_native_groups
from benchmark.drafting.questions_back import QuestionDrawer
from benchmark.tasks.suites import Gold, Suite, Task, TaskGroup

# How often a sentence may be said, and how often one that lacks an argument, each time in other
# polite words: some tools have only one such sentence that is held out.
SAID_TWICE, ASKED_TWICE, ASKED_AND_ANSWERED = 2, 2, 3


class TaskCounts(Record, frozen=True):
    """Most tasks of each kind; there are fewer where the grammar has no more queries."""

    call: Count
    multi: Count
    chain: Count
    missing_argument: Count
    follow_up: Count
    tool_unavailable: Count
    on_topic_chat: Count
    not_requested: Count
    already_answered: Count
    off_topic: Count


class SpecialistDraftConfig(Record, frozen=True):
    """The section `draft_specialist` of params.yaml, where each key is explained."""

    version: AtLeastOne
    seed: Seed
    style: WritingStyle
    tasks_per_prompt: AtLeastOne
    tasks: TaskCounts


class SpecialistDrafter(Drafter):
    """Writes all tasks of the suite, kind by kind. `others` has the tools of other domains."""

    def __init__(self, sources: DraftSources, others: Catalogue, p: SpecialistDraftConfig) -> None:
        super().__init__(sources, p.style)
        self.p = p
        self.others = others
        self.stranger = ScriptedTeacher(others, sources.phrasing, p.style, "held_out", "held_out")
        self.questions = QuestionDrawer(self.catalogue, self.teachers)
        tools = tuple(entry.tool("en") for entry in self.catalogue.entries.values())
        self.group = Group("specialist", PromptSpec("specialist", "en", tools), ())
        self.negatives = NegativeSource(
            self.teachers["unseen"], (), self.general_questions, "held_out"
        )

    def groups(self, name: str) -> Iterator[TaskGroup]:
        """All tasks, dealt out so that every group has most kinds."""
        drafts = [draft for kind in self.p.tasks.__struct_fields__ for draft in self._draft(kind)]
        for number, members in enumerate(deal_out(drafts, self.p.tasks_per_prompt)):
            prompt = build_native_prompt(
                f"{name}/g{number:03}", self.catalogue.entries, self.p.seed
            )
            tasks = (
                build_task(f"{prompt.id}.{index}", prompt.id, draft)
                for index, draft in enumerate(members)
            )
            yield TaskGroup(prompt, tuple(tasks))

    def _draft(self, kind: str) -> list[DraftedTask]:
        """The tasks of a kind, each in words that are new; says so if they are fewer than asked."""
        count: int = getattr(self.p.tasks, kind)
        candidates: Callable[[], Iterator[DraftedTask]] = {
            "missing_argument": self._ask_back,
            "follow_up": self._follow_up,
            "tool_unavailable": self._ask_strangers,
        }.get(kind, lambda: self._draw_negatives(kind) if kind in KINDS else self._call(kind))
        drafts = list(islice(self._keep_new(candidates()), count))
        if len(drafts) < count:
            print(f"{kind}: {len(drafts)} of {count} tasks: the held-out grammar has no more")
        return drafts

    def _keep_new(self, drafts: Iterable[DraftedTask]) -> Iterator[DraftedTask]:
        for draft in drafts:
            said = {turn.text for turn in draft.trajectory.turns if isinstance(turn, User)}
            if all(self.is_new(text) for text in said):
                self.queries |= said
                yield draft

    def _call(self, kind: str) -> Iterator[DraftedTask]:
        """Scenarios of a kind in turn, in a chain cut before every one of its calls."""
        cells = [
            (tool, scenario, cut)
            for tool, scenario in self.catalogue.cells()
            if scenario.kind == kind
            for cut in range(len(scenario.turns(tool)))
        ]
        axes = cycle(["seen", "unseen"])
        while any(self._has_query(side, *cell[:2]) for cell in cells for side in self.teachers):
            axis = next(axes)
            for index, (tool, scenario, cut) in enumerate(cells):
                # The axes alternate within a round too, or a short round would have only one.
                side = axis if index % 2 else {"seen": "unseen", "unseen": "seen"}[axis]
                if self._has_query(side, tool, scenario):
                    _, trajectory = self._draw_query(side, tool, scenario, "en")
                    calls = [i for i, turn in enumerate(trajectory.turns) if is_call(turn)]
                    yield DraftedTask(side, trajectory, calls[cut])

    def _has_query(self, side: str, tool: str, scenario: Scenario) -> bool:
        """Whether a cell has a sentence that was not said too often."""
        grammar = self.teachers[side].grammar
        used = self.uses[f"{tool}.{scenario.name}.en.{side}"]
        return used < SAID_TWICE * grammar.capacity(scenario.queries, tool, "en")

    def _ask_back(self) -> Iterator[DraftedTask]:
        for opening in self.questions.draw_openings(ASKED_TWICE, completed=False):
            turns = (User(opening.drawn.query), self.questions.ask(opening))
            trajectory = Trajectory(
                f"{opening.tool}.missing", turns, "missing_argument", "en", opening.tool
            )
            yield DraftedTask(opening.axis, trajectory, 1)

    def _follow_up(self) -> Iterator[DraftedTask]:
        rng = random.Random(f"{self.p.seed}:follow_up")
        for opening in self.questions.draw_openings(ASKED_AND_ANSWERED, completed=True):
            yield DraftedTask(opening.axis, self.questions.answer(opening, rng), 3)

    def _ask_strangers(self) -> Iterator[DraftedTask]:
        """Requests of one call to tools of other domains, which no prompt lists."""
        names = sorted(self.others.entries)
        rng = random.Random(f"{self.p.seed}:tool_unavailable")
        for turn in range(len(names)):
            for tool in rng.sample(names, len(names)):
                simple = [s for s in self.others.entries[tool].scenarios if s.kind == "call"]
                if turn < len(simple):
                    request = TrajectoryRequest(tool, simple[turn].name, "simple", 0)
                    query = self.stranger.draw_query(request, "en").query
                    turns = (User(query), Assistant("no_call"))
                    trajectory = Trajectory(f"{tool}.other", turns, "tool_unavailable", "en", tool)
                    yield DraftedTask("unseen", trajectory, 1)

    def _draw_negatives(self, kind: str) -> Iterator[DraftedTask]:
        """The first new candidate of every draw: each draw has the tools in another order."""
        for index in range(getattr(self.p.tasks, kind)):
            rng = random.Random(f"{self.p.seed}:{kind}:{index}")
            for trajectory in KINDS[kind].generate(self.negatives, self.group, rng):
                if self.is_new(trajectory.query):
                    yield DraftedTask("unseen", trajectory, len(trajectory.turns) - 1)
                    break


def is_call(turn: object) -> bool:
    return isinstance(turn, Assistant) and bool(turn.calls)


def build_task(id: str, prompt: str, draft: DraftedTask) -> Task:
    """The task under a native prompt, in which only calls have a thought."""
    gold = draft.gold
    return Task(
        id=id,
        prompt=prompt,
        turns=tuple(
            msgspec.structs.replace(turn, thought="")
            if isinstance(turn, Assistant) and not turn.calls
            else turn
            for turn in draft.trajectory.turns[: draft.cut]
        ),
        golds=(gold if gold.calls else Gold(gold.decision),),
        kind=draft.trajectory.kind,
        axes={"query": draft.query_axis},
    )


def draft_suite(name: str, recipe: str) -> Suite:
    """The suite of a recipe's tools, whose prompts have the name before their ids.

    What no tool can do comes from `add_hard_negatives.other_domains`. Raises BadInput if no tool
    has a scenario.
    """
    domains = config.load("catalogue", CatalogueConfig, recipe=recipe).domains
    other_domains = config.load("add_hard_negatives", NegativesConfig, recipe=recipe).other_domains
    sources = read_sources(HeldOut((), (), ()), domains)
    if sources.catalogue.left_out:
        print(f"{name}: left out: {', '.join(sources.catalogue.left_out)}")
    if not any(sources.catalogue.cells()):
        raise BadInput(f"{name}: no tool of {', '.join(domains or ('all',))} has a scenario")
    others = Catalogue(Path("data/catalogue"), other_domains)
    p = config.load("draft_specialist", SpecialistDraftConfig)
    groups = list(SpecialistDrafter(sources, others, p).groups(name))
    return join_native_groups(name, sources.catalogue, groups)


def main(folder: Path) -> None:
    version = config.load("draft_specialist", SpecialistDraftConfig).version
    write_draft(folder, draft_suite(folder.name, SHOP), version)


if __name__ == "__main__":
    cli.run(main)
