"""Closed-loop episodes: a user's request, a world to act in, and the calls that would fulfil it.

A folder holds `tools.jsonl`, `prompts.jsonl` and `episodes.jsonl`. Episodes of one `task` are
attempts at the same request, in other words and in another world.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.simulators import SIMULATORS
from agent_tuning.files import jsonl
from agent_tuning.records import Call, PromptSpec, Record, Tool
from benchmark.tasks import suite_prompts
from benchmark.tasks.suite_prompts import SuitePrompt, find_unknown_prompt


class Episode(Record, frozen=True):
    """`gold` is one way to the goal. The goal is the state that it leaves, not the way itself."""

    id: str
    task: str
    prompt: str  # its id
    family: str
    seed: str  # of the world
    query: str
    gold: tuple[Call, ...]
    facts: tuple[str, ...] = ()  # what a reply has to state, where the request is a question

    def __post_init__(self) -> None:
        if not self.gold:
            raise ValueError("gold: an episode needs at least one call")


@dataclass(frozen=True)
class Episodes:
    tools: dict[str, Tool]  # by key
    prompts: dict[str, SuitePrompt]  # by id
    episodes: tuple[Episode, ...]

    @cached_property
    def digest(self) -> str:
        """The same for the same records, in whatever order they are stored."""
        episodes = sorted(self.episodes, key=lambda episode: episode.id)
        records = (*sorted(self.tools.items()), *sorted(self.prompts.items()), *episodes)
        lines = (msgspec.json.encode(record, order="sorted") for record in records)
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    @cached_property
    def specs(self) -> dict[str, PromptSpec]:
        """The prompts with their tools, by id."""
        return {id: prompt.resolve(self.tools) for id, prompt in self.prompts.items()}

    def prompt(self, episode: Episode) -> PromptSpec:
        return self.specs[episode.prompt]

    def slice(
        self, tasks: int, attempts: int, families: Collection[str] | None = None
    ) -> "Episodes":
        """The first `tasks` tasks of every family, and the first `attempts` at each of them.

        With `families`, episodes of all others are left out.
        """
        counts: dict[str, dict[str, int]] = {}  # attempts so far: family -> task -> number
        kept = []
        for episode in self.episodes:
            if families is not None and episode.family not in families:
                continue
            taken = counts.setdefault(episode.family, {})
            if episode.task in taken or len(taken) < tasks:
                taken[episode.task] = taken.get(episode.task, 0) + 1
                if taken[episode.task] <= attempts:
                    kept.append(episode)
        return Episodes(self.tools, self.prompts, tuple(kept))


def read(folder: Path) -> Episodes:
    """Raises BadInput with the number and field of the first bad line."""
    tools = suite_prompts.read_tools(folder)
    prompts = suite_prompts.read_prompts(folder, tools, _find_unsimulated)
    specs = {id: prompt.resolve(tools) for id, prompt in prompts.items()}

    def find_problems(episode: Episode) -> Iterator[str]:
        yield from find_unknown_prompt(episode.prompt, prompts)
        yield from _find_call_problems(episode, specs[episode.prompt])

    records = suite_prompts.read_records(folder / "episodes.jsonl", Episode, find_problems)
    return Episodes(tools, prompts, tuple(records))


def write(folder: Path, suite: Episodes) -> None:
    """Write what `read` reads."""
    suite_prompts.write_prompts(folder, suite.tools, suite.prompts)
    jsonl.write(folder / "episodes.jsonl", suite.episodes)


def _find_unsimulated(prompt: PromptSpec) -> Iterator[str]:
    names = (tool.name for tool in prompt.tools)
    yield from (f"tools: {name!r} has no simulator" for name in names if name not in SIMULATORS)


def _find_call_problems(episode: Episode, prompt: PromptSpec) -> Iterator[str]:
    for call in episode.gold:
        if problem := schema.find_call_problem(call, prompt.tools):
            yield f"gold: {problem}"


def group_by_task(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.task, []).append(episode)
    return groups
