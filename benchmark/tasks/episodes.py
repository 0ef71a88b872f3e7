"""Closed-loop episodes: a user's wish, a world to act in, and the calls that would fulfil it.

A folder holds `tools.jsonl` and `episodes.jsonl`. Episodes of one `task` are attempts at the same
wish, in other words and in another world; episodes of one `group` share a prompt.
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
from agent_tuning.records import Call, Language, Record, Tool
from benchmark.tasks.suites import read_grouped, read_tools


class Episode(Record, frozen=True):
    """`gold` is one way to the goal: what it leaves behind is the goal, not the way itself."""

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
    facts: tuple[str, ...] = ()  # what an answer has to state, where the wish is a question

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
        episodes = sorted(self.episodes, key=lambda one: one.id)
        records = (*sorted(self.tools.items()), *episodes)
        lines = (msgspec.json.encode(record, order="sorted") for record in records)
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    def tools_of(self, episode: Episode) -> tuple[Tool, ...]:
        return tuple(self.tools[key] for key in episode.menu)

    def slice(self, tasks: int, attempts: int) -> "Episodes":
        """The first tasks of every family, and of each the first attempts."""
        taken: dict[str, dict[str, int]] = {}  # by family, how many attempts at each task
        kept = []
        for one in self.episodes:
            begun = taken.setdefault(one.family, {})
            if one.task in begun or len(begun) < tasks:
                begun[one.task] = begun.get(one.task, 0) + 1
                if begun[one.task] <= attempts:
                    kept.append(one)
        return Episodes(self.tools, tuple(kept))


def read(folder: Path) -> Episodes:
    """The first bad line stops with its number and field."""
    tools = read_tools(folder)
    read = read_grouped(folder / "episodes.jsonl", Episode, lambda one: _problems(one, tools))
    return Episodes(tools, tuple(read))


def _problems(one: Episode, tools: Mapping[str, Tool]) -> Iterator[str]:
    yield from (f"menu: {key!r} is not in tools.jsonl" for key in one.menu if key not in tools)
    menu = [tools[key] for key in one.menu if key in tools]
    yield from (f"menu: {t.name!r} has no simulator" for t in menu if t.name not in SIMULATORS)
    if one.reply_format not in REPLY_FORMATS:
        yield f"reply_format: {one.reply_format!r} is none of {', '.join(REPLY_FORMATS)}"
    if one.tool_format not in TOOL_FORMATS:
        yield f"tool_format: {one.tool_format!r} is none of {', '.join(TOOL_FORMATS)}"
    for call in one.gold:
        if problem := schema.find_call_problem(call, menu):
            yield f"gold: {problem}"


def group_by_task(episodes: Sequence[Episode]) -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = {}
    for one in episodes:
        found.setdefault(one.task, []).append(one)
    return found
