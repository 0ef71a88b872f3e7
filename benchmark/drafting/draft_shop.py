"""Draft the shop's suite from the grammar: `python -m benchmark.drafting.draft_shop FOLDER`.

reads   params.yaml: draft_shop;  data/catalogue and wordings
        FOLDER-N/, the version before, if it is kept
writes  FOLDER/tools.jsonl, prompts.jsonl, tasks.jsonl, version.json

Every prompt lists all tools of `domains`, as a company's assistant has them. So there is
no tool to take away from a list: what no tool can do comes from the grammar of other domains.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.records import Assistant, BadInput, Group, PromptSpec, Record, Trajectory, User
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.hard_negatives import KINDS, NegativeSource
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from benchmark.drafting.draft_sources import DraftSources, read_sources
from benchmark.drafting.drafter import DraftedTask, Drafter, write_draft
from benchmark.drafting.native_prompts import build_native_prompt, deal_out, join_native_groups
from benchmark.drafting.questions_back import QuestionDrawer
from benchmark.tasks.suites import Gold, Task, TaskGroup

# How often a sentence may open a request that lacks an argument, each time in other polite words:
# some tools have only one such sentence that is held out.
ASKED_TWICE, ASKED_AND_ANSWERED = 2, 3


class TaskCounts(Record, frozen=True):
    """Tasks of each kind."""

    call: int
    multi: int
    chain: int
    missing_argument: int
    follow_up: int
    tool_unavailable: int
    on_topic_chat: int
    not_requested: int
    already_answered: int
    off_topic: int


class ShopDraftConfig(Record, frozen=True):
    """`other_domains` are those whose requests none of the suite's tools can answer."""

    domains: tuple[str, ...]
    version: int
    seed: int
    style: WritingStyle
    tasks_per_prompt: int
    tasks: TaskCounts
    other_domains: tuple[str, ...]


class ShopDrafter(Drafter):
    """Writes all tasks of the suite, kind by kind. `others` has the tools of other domains."""

    def __init__(self, sources: DraftSources, others: Catalogue, p: ShopDraftConfig) -> None:
        super().__init__(sources, p.style)
        self.p = p
        self.others = others
        self.stranger = ScriptedTeacher(others, sources.phrasing, p.style, "held_out", "held_out")
        self.questions = QuestionDrawer(self.catalogue, self.teachers)
        tools = tuple(entry.tool("en") for entry in self.catalogue.entries.values())
        self.group = Group("draft_shop", PromptSpec("draft_shop", "en", tools), ())
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
        """As many tasks of a kind as the section asks for, each in words that are new."""
        count: int = getattr(self.p.tasks, kind)
        candidates: Callable[[], Iterator[DraftedTask]] = {
            "missing_argument": self._ask_back,
            "follow_up": self._follow_up,
            "tool_unavailable": self._ask_strangers,
        }.get(kind, lambda: self._draw_negatives(kind) if kind in KINDS else self._call(kind))
        drafts = list(islice(self._keep_new(candidates()), count))
        if len(drafts) < count:
            raise BadInput(
                f"params.yaml: draft_shop: tasks.{kind}: the held-out grammar gives only "
                f"{len(drafts)} different ones; ask for fewer, or add phrasings to the catalogue"
            )
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
        for axis in cycle(["seen", "unseen"]):
            for index, (tool, scenario, cut) in enumerate(cells):
                # The axes alternate within a round too, or a short round would have only one.
                side = axis if index % 2 else {"seen": "unseen", "unseen": "seen"}[axis]
                _, trajectory = self._draw_query(side, tool, scenario, "en")
                calls = [i for i, turn in enumerate(trajectory.turns) if is_call(turn)]
                yield DraftedTask(side, trajectory, calls[cut])

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


def main(folder: Path) -> None:
    p = config.load("draft_shop", ShopDraftConfig)
    sources = read_sources(HeldOut((), (), ()), p.domains)
    if sources.catalogue.left_out:
        print(f"{folder}: left out: {', '.join(sources.catalogue.left_out)}")
    others = Catalogue(Path("data/catalogue"), p.other_domains)
    groups = list(ShopDrafter(sources, others, p).groups(folder.name))
    write_draft(folder, join_native_groups(folder.name, sources.catalogue, groups), p.version)


if __name__ == "__main__":
    cli.run(main)
