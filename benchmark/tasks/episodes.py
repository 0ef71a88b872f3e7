"""Closed-loop episodes: a user's request, a world to act in, and the calls that would fulfil it.

A folder holds `tools.jsonl` and `episodes.jsonl`. Episodes of one `task` are attempts at the same
request, in other words and in another world; episodes of one `group` share a prompt.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.simulators import SIMULATORS
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import Call, Language, PromptSpec, Record, Tool
from benchmark.tasks.suites import read_grouped, read_tools


class Episode(Record, frozen=True):
    """`gold` is one way to the goal. The goal is the state that it leaves, not the way itself."""

    id: str
    task: str
    group: str
    family: str
    language: Language
    menu: tuple[str, ...]  # keys of the suite's tools in prompt order
    template: str
    tool_format: str
    reply_format: str
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
    episodes: tuple[Episode, ...]

    @cached_property
    def digest(self) -> str:
        """The same for the same records, in whatever order they are stored."""
        episodes = sorted(self.episodes, key=lambda episode: episode.id)
        records = (*sorted(self.tools.items()), *episodes)
        lines = (msgspec.json.encode(record, order="sorted") for record in records)
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    def prompt(self, episode: Episode) -> PromptSpec:
        """The prompt that the episodes of this episode's group share."""
        formats = (episode.template, episode.tool_format, episode.reply_format)
        return PromptSpec(episode.group, episode.language, self.tools_of(episode), *formats)

    def tools_of(self, episode: Episode) -> tuple[Tool, ...]:
        return tuple(self.tools[key] for key in episode.menu)

    def slice(self, tasks: int, attempts: int) -> "Episodes":
        """The first `tasks` tasks of every family, and the first `attempts` at each of them."""
        counts: dict[str, dict[str, int]] = {}  # attempts so far: family -> task -> number
        kept = []
        for episode in self.episodes:
            taken = counts.setdefault(episode.family, {})
            if episode.task in taken or len(taken) < tasks:
                taken[episode.task] = taken.get(episode.task, 0) + 1
                if taken[episode.task] <= attempts:
                    kept.append(episode)
        return Episodes(self.tools, tuple(kept))


def read(folder: Path) -> Episodes:
    """Raises BadInput with the number and field of the first bad line."""
    tools = read_tools(folder)
    path = folder / "episodes.jsonl"
    episodes = read_grouped(path, Episode, lambda episode: _find_problems(episode, tools))
    return Episodes(tools, tuple(episodes))


def _find_problems(episode: Episode, tools: Mapping[str, Tool]) -> Iterator[str]:
    offered = [tools[key] for key in episode.menu if key in tools]
    yield from (f"menu: {key!r} is not in tools.jsonl" for key in episode.menu if key not in tools)
    yield from (f"menu: {t.name!r} has no simulator" for t in offered if t.name not in SIMULATORS)
    if episode.reply_format not in REPLY_FORMATS:
        yield f"reply_format: {episode.reply_format!r} is none of {', '.join(REPLY_FORMATS)}"
    if episode.tool_format not in TOOL_FORMATS:
        yield f"tool_format: {episode.tool_format!r} is none of {', '.join(TOOL_FORMATS)}"
    for call in episode.gold:
        if problem := schema.find_call_problem(call, offered):
            yield f"gold: {problem}"


def group_by_task(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.task, []).append(episode)
    return groups
