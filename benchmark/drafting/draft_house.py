"""Draft the house suite: `python -m benchmark.drafting.draft_house FOLDER` (or `make draft`).

reads   params.yaml: draft, plan.held_out_tools, diversify.held_out;  data/catalogue and wordings
        FOLDER-N/, the version before, if it is kept
writes  FOLDER/tools.jsonl, FOLDER/tasks.jsonl, FOLDER/version.json

Queries come from the part of the grammar that training never sees: held-out values for a query
that counts as seen, held-out phrasings too for an unseen one. Whole groups use held-out tools,
templates or tool formats, so that the report can show what each of the four costs.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import LANGUAGES, Scenario
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import yaml_records
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Group, Language, PromptSpec, Record, Tool, Trajectory
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.general_questions import GeneralQuestions
from agent_tuning.synthesis.hard_negatives import KINDS, NegativeSource
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from benchmark.tasks import suites
from benchmark.tasks.suite_version import Version, write_version
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task


class HouseDraftConfig(Record, frozen=True):
    version: int
    first: int
    seed: int
    style: WritingStyle
    groups: int
    calls: int
    negatives: int
    menu_size: int
    zh_every: int
    unseen_every: dict[str, int]
    tool_formats: tuple[str, ...]
    reply_formats: tuple[str, ...]


class TrainingTools(Record, frozen=True, forbid_unknown_fields=False):
    """What `plan` keeps from training."""

    held_out_tools: tuple[str, ...]


class HeldOut(Record, frozen=True):
    templates: tuple[str, ...]
    tool_formats: tuple[str, ...]


class TrainingFormats(Record, frozen=True, forbid_unknown_fields=False):
    """What `diversify` keeps from training."""

    held_out: HeldOut


class DraftedTask(NamedTuple):
    """A trajectory, cut before the decision that the task asks for."""

    query_axis: str
    trajectory: Trajectory
    cut: int

    @property
    def gold(self) -> Gold:
        turn = self.trajectory.turns[self.cut]
        assert isinstance(turn, Assistant)
        calls = tuple(
            GoldCall(call.name, {name: (value,) for name, value in call.arguments.items()})
            for call in turn.calls
        )
        return Gold(turn.decision, turn.thought, calls)


class HouseDrafter:
    """Writes the groups of one suite."""

    def __init__(
        self,
        catalogue: Catalogue,
        phrasing: Phrasing,
        everyday: GeneralQuestions,
        unseen_tools: Sequence[str],
        unseen: HeldOut,
        p: HouseDraftConfig,
    ) -> None:
        self.catalogue = catalogue
        self.p = p
        self.unseen = unseen
        self.tools = {
            "seen": sorted(catalogue.entries.keys() - set(unseen_tools)),
            "unseen": sorted(unseen_tools),
        }
        self.teachers = {
            "seen": ScriptedTeacher(catalogue, phrasing, p.style, "train", "held_out"),
            "unseen": ScriptedTeacher(catalogue, phrasing, p.style, "held_out", "held_out"),
        }
        self.general_questions = everyday.asked("held_out")
        self.drawn: Counter[str] = Counter()  # how often a cell was used, so that no query recurs
        self.said: set[str] = set()

    def tasks(self, first: int) -> Iterator[Task]:
        for number in range(first, first + self.p.groups):
            yield from self._group(number)

    def _group(self, number: int) -> Iterator[Task]:
        p, rng = self.p, random.Random(f"{self.p.seed}:{number}")
        language: Language = "zh" if number % p.zh_every == p.zh_every - 1 else "en"
        axes = self._axes(number, language)
        tools = self._wanted(axes["tool"], language, rng)
        menu = self._menu(tools, rng)
        templates = _side(
            system_prompt.template_names(language), self.unseen.templates, axes["template"]
        )
        formats = _side(p.tool_formats, self.unseen.tool_formats, axes["tool_format"])
        template, tool_format = rng.choice(templates), rng.choice(formats)
        drafts = [self._positive(tool, axes["tool"], language, rng) for tool in tools]
        drafts += self._negatives(menu, language, number)
        for index, draft in enumerate(drafts):
            yield Task(
                id=f"house/g{number:03}.{index}",
                group=f"house/g{number:03}",
                menu=tuple(tool_key(tool, language) for tool in menu),
                language=language,
                turns=draft.trajectory.turns[: draft.cut],
                golds=(draft.gold,),
                kind=draft.trajectory.kind,
                template=template,
                tool_format=tool_format,
                reply_format=self._reply_format(number),
                axes={"query": draft.query_axis, **axes},
            )

    def _axes(self, number: int, language: Language) -> dict[str, str]:  # noqa: ARG002
        return {
            axis: "unseen" if number % every == shift else "seen"
            for shift, (axis, every) in enumerate(self.p.unseen_every.items())
        }

    def _reply_format(self, number: int) -> str:
        """In turn, a step further after each unseen tool: else one format had all of those."""
        formats = self.p.reply_formats
        return formats[(number + number // self.p.unseen_every["tool"]) % len(formats)]

    def _kinds_turn(self, number: int) -> int:
        """So every kind of negative meets every reply format, on seen and on unseen tools."""
        return number + number // (self.p.unseen_every["tool"] * len(self.p.reply_formats))

    def _wanted(self, axis: str, language: Language, rng: random.Random) -> list[str]:
        """The least asked tools of one side, in pairs of siblings where there are some."""
        wanted: list[str] = []
        while len(wanted) < self.p.calls:
            siblings = self.catalogue.entries[wanted[-1]].siblings if len(wanted) % 2 else ()
            left = [tool for tool in self.tools[axis] if tool not in wanted]
            tool = min(
                left,
                key=lambda tool: (
                    bool(siblings) and tool not in siblings,
                    self._asked(tool, language),
                    rng.random(),
                ),
            )
            self.drawn[f"{tool}.{language}"] += 1
            wanted.append(tool)
        return wanted

    def _asked(self, tool: str, language: Language) -> int:
        """How often a tool was asked for."""
        return self.drawn[f"{tool}.{language}"]

    def _scenario(self, tool: str, language: Language) -> Scenario:
        """Its scenarios in turn."""
        scenarios = self._scenarios(tool)
        return scenarios[self.drawn[f"{tool}.{language}"] % len(scenarios)]

    def _scenarios(self, tool: str) -> list[Scenario]:
        """A call to a tool that training never saw is no test of the seen ones.

        A chain of an unseen tool may go on to seen ones, since its task ends before them.
        """
        side = "unseen" if tool in self.tools["unseen"] else "seen"
        return [
            scenario
            for scenario in self.catalogue.entries[tool].scenarios
            if (side == "unseen" and scenario.then)
            or {step.tool for step in scenario.steps(tool)} <= set(self.tools[side])
        ]

    def _new(self, query: str) -> bool:
        return query not in self.said

    def _menu(self, tools: Sequence[str], rng: random.Random) -> list[str]:
        """What is asked for, siblings first among the rest; several calls need all of theirs."""
        entries = self.catalogue.entries
        needed = {
            step.tool for tool in tools for s in entries[tool].scenarios for step in s.steps(tool)
        }
        near = [sibling for tool in tools for sibling in entries[tool].siblings]
        rest = rng.sample(sorted(entries), len(entries))
        ordered = dict.fromkeys([*tools, *sorted(needed), *near, *rest])
        menu = list(ordered)[: max(self.p.menu_size, len({*tools, *needed}))]
        return rng.sample(menu, len(menu))

    def _positive(
        self, tool: str, side: str, language: Language, rng: random.Random
    ) -> DraftedTask:
        """A call; in a chain, any of its calls to a tool of this side, after what came before."""
        axis, trajectory = self._drawn(
            rng.choice(["seen", "unseen"]), tool, self._scenario(tool, language), language
        )
        cuts = [
            index
            for index, turn in enumerate(trajectory.turns)
            if isinstance(turn, Assistant)
            and turn.calls
            and {call.name for call in turn.calls} <= set(self.tools[side])
        ]
        return DraftedTask(axis, trajectory, rng.choice(cuts))

    def _drawn(
        self, axis: str, tool: str, scenario: Scenario, language: Language
    ) -> tuple[str, Trajectory]:
        """The next query of a cell, and the axis that it is of."""
        cell = f"{tool}.{scenario.name}.{language}.{axis}"
        item = TrajectoryRequest(tool, scenario.name, scenario.complexity, self.drawn[cell])
        self.drawn[cell] += 1
        return axis, self.teachers[axis].write_positive(item, language)

    def _negatives(
        self, menu: Sequence[str], language: Language, number: int
    ) -> Iterator[DraftedTask]:
        """Kinds in turn; the wording of a negative is always unseen."""
        tools = tuple(self.catalogue.entries[name].tool(language) for name in menu)
        name = f"house/g{number:03}"
        group = Group(name, PromptSpec(name, language, tools), ())
        source = NegativeSource(
            self.teachers["unseen"],
            self._askable(menu, language),
            self.general_questions,
            "held_out",
        )
        kinds = list(KINDS)
        for index in range(self.p.negatives):
            start = self._kinds_turn(number) * self.p.negatives + index
            order = [kinds[(start + shift) % len(kinds)] for shift in range(len(kinds))]
            rng = random.Random(f"{self.p.seed}:{group.id}:{index}")
            candidates = (one for kind in order for one in KINDS[kind](source, group, rng))
            one = next(one for one in candidates if self._new(one.query))
            self.said.add(one.query)
            yield DraftedTask("unseen", one, len(one.turns) - 1)

    def _askable(self, menu: Sequence[str], language: Language) -> list[Trajectory]:
        """Queries for tools that are not on the menu though a sibling is."""
        absent = [
            tool
            for tool in self.tools["seen"]
            if tool not in menu and set(self.catalogue.entries[tool].siblings) & set(menu)
        ]
        wanted = []
        for tool in absent:
            scenarios = self.catalogue.entries[tool].scenarios
            simple = next(s for s in scenarios if s.complexity == "simple")
            cell = f"{tool}.{simple.name}.{language}.unseen"
            item = TrajectoryRequest(tool, simple.name, simple.complexity, self.drawn[cell])
            self.drawn[cell] += 1
            wanted.append(self.teachers["unseen"].write_positive(item, language))
        return wanted


def _side(names: Sequence[str], unseen: Sequence[str], axis: str) -> list[str]:
    """The seen or the unseen ones of `names`; the unseen need not be among them."""
    language = {name.rsplit(".", 1)[-1] for name in names}
    if axis == "seen":
        return sorted(set(names) - set(unseen))
    same = [name for name in unseen if "." not in name or name.rsplit(".", 1)[-1] in language]
    return sorted(same)


def tool_key(tool: str, language: Language) -> str:
    """How the suite tells a tool's translations apart."""
    return tool if language == "en" else f"{tool}.{language}"


def read_sources() -> tuple[Catalogue, Phrasing, GeneralQuestions, Sequence[str], HeldOut]:
    """What a draft is made of, besides its numbers."""
    return (
        Catalogue(Path("data/catalogue")),
        yaml_records.read(Path("data/phrasing.yaml"), Phrasing),
        yaml_records.read(Path("data/general.yaml"), GeneralQuestions),
        config.load("plan", TrainingTools).held_out_tools,
        config.load("diversify", TrainingFormats).held_out,
    )


def collect_tools(catalogue: Catalogue, menus: Iterable[Sequence[str]]) -> dict[str, Tool]:
    """The tools on the menus by key, in every language they are offered in."""
    used = {name for menu in menus for name in menu}
    return {
        tool_key(name, language): entry.tool(language)
        for language in LANGUAGES
        for name, entry in catalogue.entries.items()
        if tool_key(name, language) in used
    }


def main(folder: Path) -> None:
    p = config.load("draft", HouseDraftConfig)
    draft = HouseDrafter(*read_sources(), p)
    tasks = tuple(draft.tasks(p.first))
    suite = Suite(folder.name, collect_tools(draft.catalogue, [task.menu for task in tasks]), tasks)
    suites.write(folder, suite)
    before = folder.with_name(f"{folder.name}-{p.version - 1}")
    parent = suites.read(before).digest if before.exists() else ""
    write_version(folder, Version(p.version, suite.digest, parent))
    print(f"{folder}: version {p.version}, {len(tasks)} tasks, {len(suite.tools)} tools")


if __name__ == "__main__":
    cli.run(main)
