"""Draft the house suite: `python -m benchmark.drafting.draft_house FOLDER` (or `make suite`).

reads   params.yaml: draft, held_out;  data/catalogue and wordings
        FOLDER-N/, the version before, if it is kept
writes  FOLDER/tools.jsonl, prompts.jsonl, tasks.jsonl, version.json

Queries come from the part of the grammar that training never sees. Whole groups use held-out tools,
templates or tool formats, so that the report can show what each of these costs.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent_tuning.catalogue.entry_records import Scenario
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, BadInput, Group, Language, PromptSpec, Trajectory
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.hard_negatives import KINDS, NegativeSource
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.teachers import TrajectoryRequest
from benchmark.drafting import house_layout
from benchmark.drafting.catalogue_tools import collect_tools, tool_key
from benchmark.drafting.draft_sources import DraftSources, read_sources
from benchmark.drafting.drafter import DraftedTask, Drafter, write_draft
from benchmark.drafting.house_layout import HouseDraftConfig, list_side
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Task, TaskGroup


class HouseDrafter(Drafter):
    """Writes the groups of one suite. Its subclass in `annotation` chooses other cells."""

    def __init__(self, sources: DraftSources, p: HouseDraftConfig) -> None:
        super().__init__(sources, p.style)
        house_layout.check_names(p, sources.held_out)
        if unknown := set(sources.held_out.tools) - self.catalogue.entries.keys():
            raise BadInput(f"params.yaml: held_out.tools: not in the catalogue: {sorted(unknown)}")
        self.held_out = sources.held_out
        self.p = p
        self.tools = {
            "seen": sorted(self.catalogue.entries.keys() - set(sources.held_out.tools)),
            "unseen": sorted(sources.held_out.tools),
        }
        for side, tools in self.tools.items():
            if len(tools) < p.calls:
                raise BadInput(
                    f"params.yaml: held_out.tools: leaves {len(tools)} {side} tools, but a group "
                    f"asks for {p.calls} (draft.calls)"
                )

    def groups(self, first: int) -> Iterator[TaskGroup]:
        """`p.groups` groups, of which `first` is the first number."""
        return map(self._draft_group, range(first, first + self.p.groups))

    def _draft_group(self, number: int) -> TaskGroup:
        p, rng = self.p, random.Random(f"{self.p.seed}:{number}")
        language = house_layout.choose_language(number, p)
        axes = self._choose_axes(number, language)
        tools = self._choose_tools(axes["tool"], language, rng)
        tool_list = self._build_tool_list(tools, language, rng)
        names, held_out = system_prompt.template_names(language), self.held_out
        template = rng.choice(list_side("templates", names, held_out, axes["template"]))
        tool_format = rng.choice(
            list_side("tool_formats", p.tool_formats, held_out, axes["tool_format"])
        )
        prompt = SuitePrompt(
            id=f"house/g{number:03}",
            language=language,
            tools=tuple(tool_key(tool, language) for tool in tool_list),
            template=template,
            tool_format=tool_format,
            reply_format=house_layout.choose_reply_format(number, p),
        )
        drafts = [self._draft_positive(tool, axes["tool"], language, rng) for tool in tools]
        drafts += self._draft_negatives(tool_list, language, number)
        tasks = (
            Task(
                id=f"{prompt.id}.{index}",
                prompt=prompt.id,
                turns=draft.trajectory.turns[: draft.cut],
                golds=(draft.gold,),
                kind=draft.trajectory.kind,
                axes={"query": draft.query_axis, **axes},
            )
            for index, draft in enumerate(drafts)
        )
        return TaskGroup(prompt, tuple(tasks))

    def _choose_axes(self, number: int, language: Language) -> dict[str, str]:  # noqa: ARG002
        return house_layout.choose_axes(number, self.p)

    def _choose_tools(self, axis: str, language: Language, rng: random.Random) -> list[str]:
        """The tools of one side with the fewest requests, in pairs of siblings where possible."""
        askable = self._list_askable(axis, language)
        if len(askable) < self.p.calls:
            raise BadInput(
                f"params.yaml: calls: a group needs {self.p.calls} tools with scenarios in "
                f"{language} that are {axis} in training (held_out.tools); the catalogue has "
                f"{len(askable)}"
            )
        chosen: list[str] = []
        while len(chosen) < self.p.calls:
            siblings = self.catalogue.entries[chosen[-1]].siblings if len(chosen) % 2 else ()
            tool = min(
                (tool for tool in askable if tool not in chosen),
                key=lambda tool: (
                    bool(siblings) and tool not in siblings,
                    self._count_requests(tool, language),
                    rng.random(),
                ),
            )
            self.uses[f"{tool}.{language}"] += 1
            chosen.append(tool)
        return chosen

    def _list_askable(self, axis: str, language: Language) -> list[str]:
        """The tools of one side that a task can ask for in this language."""
        return [
            tool
            for tool in self.tools[axis]
            if self._speaks(tool, language) and self._list_scenarios(tool)
        ]

    def _speaks(self, tool: str, language: Language) -> bool:
        return language in self.catalogue.domain_of[tool].languages

    def _count_requests(self, tool: str, language: Language) -> int:
        return self.uses[f"{tool}.{language}"]

    def _choose_scenario(self, tool: str, language: Language) -> Scenario:
        """The tool's scenarios in turn."""
        scenarios = self._list_scenarios(tool)
        return scenarios[self.uses[f"{tool}.{language}"] % len(scenarios)]

    def _list_scenarios(self, tool: str) -> list[Scenario]:
        """Of a seen tool those that call seen tools only: the others would not test a seen tool.

        A chain of an unseen tool may go on to seen ones, since its task ends before them.
        """
        side = "unseen" if tool in self.tools["unseen"] else "seen"
        return [
            scenario
            for scenario in self.catalogue.entries[tool].scenarios
            if (side == "unseen" and scenario.then)
            or {step.tool for step in scenario.steps(tool)} <= set(self.tools[side])
        ]

    def _build_tool_list(
        self, tools: Sequence[str], language: Language, rng: random.Random
    ) -> list[str]:
        """The requested tools and all that their scenarios call, then siblings, then others."""
        entries = self.catalogue.entries
        needed = {
            step.tool for tool in tools for s in entries[tool].scenarios for step in s.steps(tool)
        }
        siblings = [sibling for tool in tools for sibling in entries[tool].siblings]
        others = rng.sample(sorted(entries), len(entries))
        ordered = dict.fromkeys([*tools, *sorted(needed), *siblings, *others])
        spoken = [tool for tool in ordered if self._speaks(tool, language)]
        tool_list = spoken[: max(self.p.tools_per_prompt, len({*tools, *needed}))]
        return rng.sample(tool_list, len(tool_list))

    def _draft_positive(
        self, tool: str, side: str, language: Language, rng: random.Random
    ) -> DraftedTask:
        """A call. In a chain it is any call to tools of this side, after the turns before it."""
        axis = rng.choice(["seen", "unseen"])
        scenario = self._choose_scenario(tool, language)
        axis, trajectory = self._draw_query(axis, tool, scenario, language)
        cuts = [
            index
            for index, turn in enumerate(trajectory.turns)
            if isinstance(turn, Assistant)
            and turn.calls
            and {call.name for call in turn.calls} <= set(self.tools[side])
        ]
        return DraftedTask(axis, trajectory, rng.choice(cuts))

    def _draft_negatives(
        self, tool_list: Sequence[str], language: Language, number: int
    ) -> Iterator[DraftedTask]:
        """The kinds in turn. The wording of a negative is always unseen."""
        tools = tuple(self.catalogue.entries[name].tool(language) for name in tool_list)
        name = f"house/g{number:03}"
        group = Group(name, PromptSpec(name, language, tools), ())
        source = NegativeSource(
            self.teachers["unseen"],
            self._draw_unavailable(tool_list, language),
            self.general_questions,
            "held_out",
        )
        for index in range(self.p.negatives):
            rng = random.Random(f"{self.p.seed}:{group.id}:{index}")
            kinds = house_layout.order_kinds(number, index, self.p)
            candidates = (
                trajectory
                for kind in kinds
                for trajectory in KINDS[kind].generate(source, group, rng)
            )
            negative = next((t for t in candidates if self.is_new(t.query)), None)
            if negative is None:
                raise BadInput(
                    f"{group.id}: no unused hard negative is left; add `remarks` to the catalogue"
                )
            self.queries.add(negative.query)
            yield DraftedTask("unseen", negative, len(negative.turns) - 1)

    def _draw_unavailable(self, tool_list: Sequence[str], language: Language) -> list[Trajectory]:
        """Queries for tools that are not in the tool list, of which a sibling is."""
        trajectories = []
        for tool in filter(lambda tool: self._speaks(tool, language), self.tools["seen"]):
            entry = self.catalogue.entries[tool]
            simple = [s for s in entry.scenarios if s.complexity == "simple"]
            if simple and tool not in tool_list and set(entry.siblings) & set(tool_list):
                scenario = simple[0]
                cell = f"{tool}.{scenario.name}.{language}.unseen"
                request = TrajectoryRequest(
                    tool, scenario.name, scenario.complexity, self.uses[cell]
                )
                self.uses[cell] += 1
                trajectories.append(self.teachers["unseen"].write_positive(request, language))
        return trajectories


def main(folder: Path) -> None:
    p = config.load("draft", HouseDraftConfig)
    sources = read_sources(config.load("held_out", HeldOut, recipe="general"))
    groups = list(HouseDrafter(sources, p).groups(p.first))
    tools = collect_tools(sources.catalogue, [group.prompt.tools for group in groups])
    suite = suites.join_groups(folder.name, tools, groups)
    write_draft(folder, suite, p.version)


if __name__ == "__main__":
    cli.run(main)
