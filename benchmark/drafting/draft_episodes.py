"""Draft the episodes: `python -m benchmark.drafting.draft_episodes FOLDER` (or `make suite`).

reads   params.yaml: draft_episodes, draft, held_out;  data/catalogue
writes  FOLDER/tools.jsonl, prompts.jsonl, episodes.jsonl

A task is a scenario with held-out values. Its attempts use the scenario's several phrasings, and
each has another world. The values are drawn again if, in any of these worlds, a gold call is
refused, changes nothing where it should, or finds nothing.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import OBSERVED_FIELD, Scenario
from agent_tuning.catalogue.grammar import Grammar, SlotValue
from agent_tuning.catalogue.simulators import SIMULATORS, World
from agent_tuning.prompts import system_prompt
from agent_tuning.records import BadInput, Call, Language, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import AtLeastOne, Seed
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.teachers.scripted import enact_scenario, fill_slots
from benchmark.drafting.catalogue_tools import collect_tools, tool_key
from benchmark.drafting.house_layout import HouseDraftConfig, list_side
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episode, Episodes
from benchmark.tasks.suite_prompts import SuitePrompt

# The six worlds of AgentInstruct (Zeng et al. 2023), and our domains in their place.
FAMILIES = {
    "operating_system": ("operating_system",),
    "database": ("database",),
    "graph": ("graph",),
    "household": ("household",),
    "shop": ("shop", "cart"),
    "web": ("web",),
}


class EpisodeDraftConfig(Record, frozen=True):
    """`tasks` per family, `attempts` per task, `prompts` per family in English.

    Every `zh_every`th task is Chinese. A task is given up after `draws` draws of its values.
    """

    seed: Seed
    tasks: AtLeastOne
    zh_every: AtLeastOne
    attempts: AtLeastOne
    tools_per_prompt: AtLeastOne
    prompts: AtLeastOne
    draws: AtLeastOne


class Cell(NamedTuple):
    """What a task asks for."""

    tool: str
    scenario: Scenario
    language: Language


class EpisodeGold(NamedTuple):
    """The gold calls, and the facts that a reply has to state if they are a question."""

    calls: tuple[Call, ...]
    facts: tuple[str, ...]


class EpisodeDrafter:
    """Writes the episodes of every family."""

    def __init__(
        self,
        catalogue: Catalogue,
        formats: HouseDraftConfig,
        held_out: HeldOut,
        p: EpisodeDraftConfig,
    ) -> None:
        self.catalogue = catalogue
        self.formats = formats
        self.held_out = held_out
        self.p = p
        self.grammar = Grammar(catalogue, values="held_out")
        self.prompts: dict[str, SuitePrompt] = {}  # all that were built, by id

    def draft(self) -> Episodes:
        """The suite, with the prompts that its episodes use."""
        drafted = tuple(
            episode
            for family, domains in FAMILIES.items()
            for episode in self._draft_family(family, domains)
        )
        prompts = {episode.prompt: self.prompts[episode.prompt] for episode in drafted}
        tool_lists = [prompt.tools for prompt in prompts.values()]
        return Episodes(collect_tools(self.catalogue, tool_lists), prompts, drafted)

    def _draft_family(self, family: str, domains: Sequence[str]) -> Iterator[Episode]:
        p = self.p
        tools = [name for name, d in self.catalogue.domain_of.items() if d.domain in domains]
        prompts: dict[Language, list[SuitePrompt]] = {
            "en": [self._build_prompt(family, tools, "en", n) for n in range(p.prompts)],
            "zh": [self._build_prompt(family, tools, "zh", 0)],
        }
        for number, (tool, scenario) in enumerate(self._list_scenarios(family, tools)[: p.tasks]):
            language: Language = "zh" if number % p.zh_every == p.zh_every - 1 else "en"
            prompt = prompts[language][number // 2 % len(prompts[language])]
            yield from self._draft_task(family, Cell(tool, scenario, language), prompt)

    def _list_scenarios(self, family: str, tools: Sequence[str]) -> list[tuple[str, Scenario]]:
        """Scenarios that call the family's tools only; those of several steps and of one alternate.

        Scenarios with several calls at once are left out: a question is scored by its last result,
        and each of these calls has a result of its own.
        """
        rng = random.Random(f"{self.p.seed}:{family}")
        scenarios = [
            (tool, scenario)
            for tool in tools
            for scenario in self.catalogue.entries[tool].scenarios
            if not scenario.also
            if {step.tool for step in scenario.steps(tool)} <= set(tools)
        ]
        rng.shuffle(scenarios)
        several = [pair for pair in scenarios if pair[1].then]
        single = [pair for pair in scenarios if not pair[1].then]
        return [pair for pair in chain(*zip_longest(several, single)) if pair]

    def _build_prompt(
        self, family: str, tools: Sequence[str], language: Language, number: int
    ) -> SuitePrompt:
        """The family's tools, their siblings from elsewhere, and others. The formats take turns."""
        id = f"episodes/{family}.{language}{number}"
        rng = random.Random(f"{self.p.seed}:{id}")
        entries = self.catalogue.entries
        siblings = [sibling for tool in tools for sibling in entries[tool].siblings]
        others = rng.sample(sorted(entries), len(entries))
        ordered = dict.fromkeys([*tools, *siblings, *others])
        tool_list = [tool for tool in ordered if tool in SIMULATORS]
        tool_list = tool_list[: max(self.p.tools_per_prompt, len(tools))]
        names = system_prompt.template_names(language)
        turn = len(self.prompts)
        self.prompts[id] = SuitePrompt(
            id=id,
            language=language,
            tools=tuple(tool_key(tool, language) for tool in rng.sample(tool_list, len(tool_list))),
            template=rng.choice(list_side("templates", names, self.held_out, "seen")),
            tool_format=self.formats.tool_formats[turn % len(self.formats.tool_formats)],
            reply_format=self.formats.reply_formats[turn % len(self.formats.reply_formats)],
        )
        return self.prompts[id]

    def _draft_task(self, family: str, cell: Cell, prompt: SuitePrompt) -> Iterator[Episode]:
        task = f"episodes/{cell.tool}.{cell.scenario.name}.{cell.language}"
        # An attempt's world has the attempt's id for a seed.
        ids = [f"{task}.{attempt}" for attempt in range(self.p.attempts)]
        phrasings: Sequence[str] = getattr(cell.scenario.queries, cell.language)
        rng = random.Random(f"{self.p.seed}:{task}")
        values, golds = self._draw_values(task, cell, ids, rng)
        # The last phrasing is held out of training: the first attempt is in words never seen.
        order = [phrasings[-1], *rng.sample(phrasings[:-1], len(phrasings) - 1)]
        for attempt, (episode, gold) in enumerate(zip(ids, golds, strict=True)):
            yield Episode(
                id=episode,
                task=task,
                prompt=prompt.id,
                family=family,
                seed=episode,
                query=fill_slots(order[attempt % len(order)], values),
                gold=gold.calls,
                facts=gold.facts,
            )

    def _draw_values(
        self, task: str, cell: Cell, seeds: Sequence[str], rng: random.Random
    ) -> tuple[Mapping[str, SlotValue], list[EpisodeGold]]:
        """Values with which the gold calls work in the world of every attempt, and these golds.

        If one of the worlds is already as the change would leave it, the request is a question
        there and a change elsewhere: such values are drawn again.
        """
        wording = " ".join(getattr(cell.scenario.queries, cell.language))
        total = self.grammar.count_sentences(wording, cell.tool, cell.language)
        for _ in range(self.p.draws):
            values = self.grammar.values(wording, cell.tool, cell.language, rng.randrange(total))
            golds = [gold for seed in seeds if (gold := _build_gold(cell, values, seed))]
            if len(golds) == len(seeds) and len({bool(gold.facts) for gold in golds}) == 1:
                return values, golds
        raise BadInput(
            f"{task}: none of {self.p.draws} draws of values works in every world; "
            "raise draft_episodes.draws or add values to the catalogue"
        )


def _build_gold(cell: Cell, values: Mapping[str, SlotValue], seed: str) -> EpisodeGold | None:
    """None if a call is refused or finds nothing in the world of this seed."""
    world = World(seed)
    decisions = enact_scenario(cell.scenario, cell.tool, cell.language, values, world)
    contents = [result.content for _, results in decisions for result in results]
    for content in contents:
        if "error" in content or any(value in ("", None, []) for value in content.values()):
            return None
    calls = tuple(call for turn, _ in decisions for call in turn.calls)
    if world.state() != World(seed).state():
        return EpisodeGold(calls, ())
    fields = OBSERVED_FIELD.findall(getattr(cell.scenario.reply, cell.language))
    facts = (str(contents[int(step) - 1][field]) for step, field in fields)
    return EpisodeGold(calls, tuple(dict.fromkeys(facts)))


def main(folder: Path) -> None:
    catalogue = Catalogue(Path("data/catalogue"))
    drafter = EpisodeDrafter(
        catalogue,
        config.load("draft", HouseDraftConfig),
        config.load("held_out", HeldOut, recipe="general"),
        config.load("draft_episodes", EpisodeDraftConfig),
    )
    suite = drafter.draft()
    episodes.write(folder, suite)
    print(f"{folder}: {len(suite.episodes)} episodes, {len(suite.tools)} tools")


if __name__ == "__main__":
    cli.run(main)
