"""Draft the episodes: `python -m benchmark.drafting.draft_episodes FOLDER` (or `make suite`).

reads   params.yaml: draft_episodes, draft, diversify.held_out;  data/catalogue
writes  FOLDER/tools.jsonl, FOLDER/episodes.jsonl

A task is a scenario with held-out values. Its attempts say it in the scenario's several phrasings
and take place in worlds that are laid out differently; a draw whose gold calls are refused in any
of them, change nothing where they should, or find nothing, is drawn again.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import OBSERVED_FIELD, Scenario
from agent_tuning.catalogue.grammar import Grammar, SlotValue
from agent_tuning.catalogue.simulators import SIMULATORS, World
from agent_tuning.files import jsonl
from agent_tuning.prompts import system_prompt
from agent_tuning.records import BadInput, Call, Language, Record
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.teachers.scripted import enact_scenario, fill_slots
from benchmark.drafting.catalogue_tools import collect_tools, tool_key
from benchmark.drafting.draft_sources import HeldOut, TrainingFormats
from benchmark.tasks import suites
from benchmark.tasks.episodes import Episode

# The six worlds of AgentInstruct (Zeng et al. 2023), and our domains in their place.
FAMILIES = {
    "operating_system": ("operating_system",),
    "database": ("database",),
    "graph": ("graph",),
    "household": ("household",),
    "shop": ("shop", "cart"),
    "web": ("web",),
}


class DraftedFormats(Record, frozen=True, forbid_unknown_fields=False):
    """What the house suite's draft says about prompts."""

    tool_formats: tuple[str, ...]
    reply_formats: tuple[str, ...]


class EpisodeDraftConfig(Record, frozen=True):
    seed: int
    tasks: int
    zh_every: int
    attempts: int
    menu_size: int
    prompts: int
    draws: int


class EpisodePrompt(Record, frozen=True):
    """What the episodes of a group have in common."""

    group: str
    menu: tuple[str, ...]
    template: str
    tool_format: str
    reply_format: str


class EpisodeDrafter:
    """Writes the episodes of every family."""

    def __init__(
        self,
        catalogue: Catalogue,
        formats: DraftedFormats,
        held_out: HeldOut,
        p: EpisodeDraftConfig,
    ) -> None:
        self.catalogue = catalogue
        self.formats = formats
        self.held_out = held_out
        self.p = p
        self.grammar = Grammar(catalogue, values="held_out")
        self.prompted = 0

    def episodes(self) -> Iterator[Episode]:
        for family, domains in FAMILIES.items():
            yield from self._family(family, domains)

    def _family(self, family: str, domains: Sequence[str]) -> Iterator[Episode]:
        p = self.p
        owned = [n for n, domain in self.catalogue.domain_of.items() if domain.domain in domains]
        languages: dict[Language, list[EpisodePrompt]] = {
            "en": [self._prompt(family, owned, "en", n) for n in range(p.prompts)],
            "zh": [self._prompt(family, owned, "zh", 0)],
        }
        for number, (tool, scenario) in enumerate(self._scenarios(family, owned)[: p.tasks]):
            zh = number % p.zh_every == p.zh_every - 1
            language: Language = "zh" if zh else "en"
            shared = languages[language]
            prompt = shared[number // 2 % len(shared)]
            yield from self._task(family, tool, scenario, language, prompt)

    def _scenarios(self, family: str, owned: Sequence[str]) -> list[tuple[str, Scenario]]:
        """Those that need only the family's tools, of several steps and of one in turn.

        A question is judged by its last result: calls at once, each with its own, are left out.
        """
        rng = random.Random(f"{self.p.seed}:{family}")
        cells = [
            (tool, scenario)
            for tool in owned
            for scenario in self.catalogue.entries[tool].scenarios
            if not scenario.also
            if {step.tool for step in scenario.steps(tool)} <= set(owned)
        ]
        rng.shuffle(cells)
        several = [cell for cell in cells if cell[1].then]
        single = [cell for cell in cells if not cell[1].then]
        return [cell for cell in chain(*zip_longest(several, single)) if cell]

    def _prompt(
        self, family: str, owned: Sequence[str], language: Language, n: int
    ) -> EpisodePrompt:
        """The family's tools, near-duplicates from elsewhere, and others; every format in turn."""
        group = f"episodes/{family}.{language}{n}"
        rng = random.Random(f"{self.p.seed}:{group}")
        entries = self.catalogue.entries
        near = [sibling for tool in owned for sibling in entries[tool].siblings]
        rest = rng.sample(sorted(entries), len(entries))
        known = [tool for tool in dict.fromkeys([*owned, *near, *rest]) if tool in SIMULATORS]
        menu = known[: max(self.p.menu_size, len(owned))]
        seen = sorted(set(system_prompt.template_names(language)) - set(self.held_out.templates))
        turn, self.prompted = self.prompted, self.prompted + 1
        return EpisodePrompt(
            group,
            tuple(tool_key(tool, language) for tool in rng.sample(menu, len(menu))),
            rng.choice(seen),
            self.formats.tool_formats[turn % len(self.formats.tool_formats)],
            self.formats.reply_formats[turn % len(self.formats.reply_formats)],
        )

    def _task(
        self, family: str, tool: str, scenario: Scenario, language: Language, prompt: EpisodePrompt
    ) -> Iterator[Episode]:
        task = f"episodes/{tool}.{scenario.name}.{language}"
        phrasings: Sequence[str] = getattr(scenario.queries, language)
        rng = random.Random(f"{self.p.seed}:{task}")
        values, golds = self._golds(task, tool, scenario, language, rng)
        # The last phrasing is held out of training: the first attempt is in words never seen.
        order = [phrasings[-1], *rng.sample(phrasings[:-1], len(phrasings) - 1)]
        for attempt, (calls, facts) in enumerate(golds):
            yield Episode(
                id=f"{task}.{attempt}",
                task=task,
                group=prompt.group,
                family=family,
                language=language,
                menu=prompt.menu,
                template=prompt.template,
                tool_format=prompt.tool_format,
                reply_format=prompt.reply_format,
                seed=_seed(task, attempt),
                query=fill_slots(order[attempt % len(order)], values),
                gold=calls,
                facts=facts,
            )

    def _golds(
        self, task: str, tool: str, scenario: Scenario, language: Language, rng: random.Random
    ) -> tuple[Mapping[str, SlotValue], list[tuple[tuple[Call, ...], tuple[str, ...]]]]:
        """Values with which the gold calls do what is wanted in the world of every attempt.

        A change that is there already in one of the worlds would make a question of it there.
        """
        wording = " ".join(getattr(scenario.queries, language))
        total = self.grammar.count_sentences(wording, tool, language)
        for _ in range(self.p.draws):
            values = self.grammar.values(wording, tool, language, rng.randrange(total))
            golds = [
                self._gold(tool, scenario, language, values, _seed(task, attempt))
                for attempt in range(self.p.attempts)
            ]
            sound = [gold for gold in golds if gold]
            asks = {bool(facts) for _, facts in sound}
            if len(sound) == len(golds) and len(asks) == 1:
                return values, sound
        raise BadInput(f"{task}: {self.p.draws} draws, none of which works in every world")

    def _gold(
        self,
        tool: str,
        scenario: Scenario,
        language: Language,
        values: Mapping[str, SlotValue],
        seed: str,
    ) -> tuple[tuple[Call, ...], tuple[str, ...]] | None:
        """The calls, and the facts that a reply to a question states; None if they do not work."""
        world = World(seed)
        decided = enact_scenario(scenario, tool, language, values, world)
        results = [result.content for _, seen in decided for result in seen]
        if any("error" in content or not all(_found(content)) for content in results):
            return None
        calls = tuple(call for turn, _ in decided for call in turn.calls)
        if world.state() != World(seed).state():
            return calls, ()
        quoted = OBSERVED_FIELD.findall(getattr(scenario.reply, language))
        facts = (str(results[int(step) - 1][field]) for step, field in quoted)
        return calls, tuple(dict.fromkeys(facts))


def _found(content: Mapping[str, object]) -> Iterator[bool]:
    """Nothing that an observation names is missing."""
    yield from (value not in ("", None, []) for value in content.values())


def _seed(task: str, attempt: int) -> str:
    return f"{task}.{attempt}"


def main(folder: Path) -> None:
    catalogue = Catalogue(Path("data/catalogue"))
    held_out = config.load("diversify", TrainingFormats).held_out
    formats = config.load("draft", DraftedFormats)
    draft = EpisodeDrafter(
        catalogue, formats, held_out, config.load("draft_episodes", EpisodeDraftConfig)
    )
    episodes = list(draft.episodes())
    tools = collect_tools(catalogue, [one.menu for one in episodes])
    suites.write_tools(folder, tools)
    jsonl.write(folder / "episodes.jsonl", episodes)
    print(f"{folder}: {len(episodes)} episodes, {len(tools)} tools")


if __name__ == "__main__":
    cli.run(main)
