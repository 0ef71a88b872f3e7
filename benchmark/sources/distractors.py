"""Distractors: groups of tasks that share one list of similar tools.

BFCL offers one tool for most queries, so a model that always calls is mostly right. Here a list
holds the tools of several items, the other tools that their authors offered, and the most similar
of all the others. It holds no tool that would answer a query as well as the right one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

import msgspec
import numpy as np

from agent_tuning.quality.word_overlap import Matrix, ToolSimilarity, build_incidence, subject_words
from agent_tuning.records import BadInput, Record, Tool, User
from agent_tuning.runtime.ranges import AtLeastOne, Count, NonEmpty, Seed, Share
from benchmark.sources.bfcl import Item
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, Suite, Task, TaskGroup


class DistractorsConfig(Record, frozen=True):
    """How groups are built.

    Two tools more similar than `ambiguous` (0-1) never share a list. A tool whose affinity to a
    query is at least `answerable` (0-1) may answer it. `quality/word_overlap.py` defines both.
    """

    seed: Seed
    calls_per_group: AtLeastOne
    no_calls_per_group: Count
    tools_per_prompt: AtLeastOne
    ambiguous: Share
    answerable: Share
    templates: NonEmpty[str]
    tool_formats: NonEmpty[str]
    reply_formats: NonEmpty[str]


@dataclass(frozen=True)
class ItemGroup:
    items: tuple[Item, ...]
    tool_list: tuple[str, ...]  # keys of tools


def derive_suite(
    name: str, items: Sequence[Item], config: DistractorsConfig
) -> tuple[Suite, Counter[str]]:
    """A suite of the items, and how many could not be used for which reason."""
    tools = key_tools(items)
    groups = GroupBuilder(items, tools, config).groups()
    if not groups:
        raise BadInput(
            f"{name}: {len(items)} questions give no list of {config.tools_per_prompt} tools; "
            "lower suites.tool_lists.tools_per_prompt or raise suites.tool_lists.ambiguous"
        )
    offered = sorted({key for group in groups for key in group.tool_list})
    suite = suites.join_groups(
        name,
        {key: tools[key] for key in offered},
        (_build_group(name, number, group, config) for number, group in enumerate(groups)),
    )
    unused = Counter({"no unambiguous tool list": len(items) - len(suite.tasks)})
    return suite, +unused


def key_tools(items: Iterable[Item]) -> dict[str, Tool]:
    """Tools by key: the name, and for less usual tools of the same name `name@2`, `name@3` …"""
    by_name: dict[str, dict[bytes, list[Tool]]] = {}
    for tool in (tool for item in items for tool in item.tools):
        by_name.setdefault(tool.name, {}).setdefault(_encode(tool), []).append(tool)
    tools = {}
    for name, versions in sorted(by_name.items()):
        usual_first = sorted(versions, key=lambda text: (-len(versions[text]), text))
        for number, text in enumerate(usual_first, 1):
            key = name if number == 1 else f"{name}@{number}"
            # Parameters stay in an author's order: it tells more than the alphabet's.
            tools[key] = min(versions[text], key=msgspec.json.encode)
    return tools


def _encode(tool: Tool) -> bytes:
    return msgspec.json.encode(tool, order="sorted")


class GroupBuilder:
    """Builds groups greedily, in an order that depends on ids and the seed alone.

    Items and tools are numbered, in `items` and `keys`. Matrices are tools x tools, but
    `affinity` and `can_answer` are items x tools.
    """

    def __init__(
        self, items: Sequence[Item], tools: dict[str, Tool], config: DistractorsConfig
    ) -> None:
        self.config = config
        self.items = sorted(items, key=lambda item: Random(f"{config.seed}:{item.id}").random())
        self.keys = list(tools)
        words = ToolSimilarity(tools.values())
        self.similarity = words.similarity()
        self.affinity = words.affinity(item.query for item in self.items)
        numbers = {_encode(tool): number for number, tool in enumerate(tools.values())}
        self.offered = [[numbers[_encode(tool)] for tool in item.tools] for item in self.items]
        self.required = list(map(self._list_required, range(len(self.items))))
        self.distinct = self._compare_tools(list(tools.values()))
        self.can_answer = self._match_tools()

    def _list_required(self, item: int) -> list[int]:
        """The tools that the golds call; without golds, the offered tool nearest to the query."""
        called = {call.name for call in self.items[item].golds}
        if called:
            return self.offered[item][: len(called)]
        return [max(self.offered[item], key=lambda tool: (self.affinity[item, tool], tool))]

    def _compare_tools(self, tools: Sequence[Tool]) -> Matrix:
        """Whether a reader can choose between two tools."""
        subjects = [subject_words(tool.name) for tool in tools]
        column = {word: n for n, word in enumerate(sorted(set().union(*subjects)))}
        uses = build_incidence(subjects, column)
        common = (uses @ uses.T).toarray()
        sizes = common.diagonal()
        within = common == np.minimum(sizes[:, None], sizes)  # get_weather, get_current_weather
        distinct: Matrix = ~within & (self.similarity <= self.config.ambiguous)
        for offered in self.offered:  # an author who offers two tools has told them apart
            for first, second in combinations(offered, 2):
                differ = subjects[first] != subjects[second]
                distinct[first, second] = distinct[second, first] = differ
        return distinct

    def _match_tools(self) -> Matrix:
        """Whether a tool could answer an item's query in place of the required ones."""
        can_answer: Matrix = self.affinity >= self.config.answerable
        for number, item in enumerate(self.items):
            if item.golds:
                can_answer[number] &= self.affinity[number] >= min(
                    self.affinity[number, tool] for tool in self.required[number]
                )
            can_answer[number, self.offered[number]] = False  # its author says so
        return can_answer

    def groups(self) -> list[ItemGroup]:
        """Complete groups first, then smaller ones of the items that are left over."""
        groups: list[ItemGroup] = []
        left = np.ones(len(self.items), dtype=bool)
        for complete in (True, False):
            for seed in range(len(self.items)):
                if left[seed] and (draft := self._draft_group(seed, left, complete)):
                    groups.append(self._finish(draft))
                    left[draft.items] = False
        return groups

    def _draft_group(self, seed: int, left: Matrix, complete: bool) -> "_DraftGroup | None":
        """The seed with the items, then the tools, that are nearest to it; None if too few fit."""
        config, group = self.config, _DraftGroup(self)
        sizes = {True: config.calls_per_group, False: config.no_calls_per_group}
        if not group.add_item(seed):
            return None
        for calls in (True, False):
            size = sum(bool(self.items[item].golds) == calls for item in group.items)
            pool = [n for n, item in enumerate(self.items) if left[n] and bool(item.golds) == calls]
            for item in self._sort_items(pool, group.tool_list):
                if size == sizes[calls]:
                    break
                size += item not in group.items and group.add_item(item)
            if complete and size != sizes[calls]:
                return None
        for tool in self._sort_distractors(group):
            if len(group.tool_list) < config.tools_per_prompt and group.allowed[tool]:
                group.add_tool(tool)
        return group if len(group.tool_list) == config.tools_per_prompt else None

    def _sort_items(self, pool: Sequence[int], tool_list: Sequence[int]) -> list[int]:
        """Items whose tool is most similar to the list first; tools that it has already come last.

        Five queries for one tool would test little more than one query does.
        """
        tools = [self.required[item][0] for item in pool]
        similarity = self.similarity[np.ix_(tools, tool_list)].max(axis=1) if pool else np.zeros(0)
        order = np.lexsort((np.array(pool), -similarity, np.isin(tools, tool_list)))
        return [pool[n] for n in order]

    def _sort_distractors(self, group: "_DraftGroup") -> Iterator[int]:
        """The tools that the authors offered, nearest to the query first; then the most similar."""
        offered = {(-self.affinity[n, tool], tool) for n in group.items for tool in self.offered[n]}
        yield from (tool for _, tool in sorted(offered))
        similarity = self.similarity[:, group.tool_list].max(axis=1)
        yield from map(int, np.lexsort((np.arange(len(similarity)), -similarity)))

    def _finish(self, draft: "_DraftGroup") -> ItemGroup:
        """With the items and the tools' keys in place of numbers, the list in random order."""
        items = tuple(self.items[number] for number in draft.items)
        tool_list = [self.keys[tool] for tool in draft.tool_list]
        Random(f"{self.config.seed}:{items[0].id}:menu").shuffle(tool_list)
        return ItemGroup(items, tuple(tool_list))


class _DraftGroup:
    """A group that grows; `allowed` are the tools that its list may still take."""

    def __init__(self, builder: GroupBuilder) -> None:
        self.builder = builder
        self.items: list[int] = []
        self.tool_list: list[int] = []
        self.allowed = np.ones(len(builder.keys), dtype=bool)

    def add_item(self, item: int) -> bool:
        """Add the item with its tools if every query still has one right tool on the list."""
        builder = self.builder
        new = [tool for tool in builder.required[item] if tool not in self.tool_list]
        fits = (
            len(self.tool_list) + len(new) <= builder.config.tools_per_prompt
            and self.allowed[new].all()
            and all(builder.distinct[first, second] for first, second in combinations(new, 2))
            and not builder.can_answer[item, self.tool_list].any()
        )
        if fits:
            self.items.append(item)
            self.allowed &= ~builder.can_answer[item]
            for tool in new:
                self.add_tool(tool)
        return bool(fits)

    def add_tool(self, tool: int) -> None:
        self.tool_list.append(tool)
        self.allowed &= self.builder.distinct[tool]


def _build_group(name: str, number: int, group: ItemGroup, config: DistractorsConfig) -> TaskGroup:
    prompt = SuitePrompt(
        id=f"{name}/g{number:03}",
        language="en",
        tools=group.tool_list,
        template=_rotate(config.templates, number, f"{config.seed}:template"),
        tool_format=_rotate(config.tool_formats, number, f"{config.seed}:tool_format"),
        reply_format=_rotate(config.reply_formats, number, f"{config.seed}:reply_format"),
    )
    tasks = (
        Task(
            id=f"{name}/{item.id}",
            prompt=prompt.id,
            turns=(User(item.query),),
            golds=_list_golds(item),
            kind=("irrelevant", "call")[len(item.golds)] if len(item.golds) < 2 else "multi",
        )
        for item in group.items
    )
    return TaskGroup(prompt, tuple(tasks))


def _list_golds(item: Item) -> tuple[Gold, ...]:
    if item.golds:
        return (Gold("call", calls=item.golds),)
    return Gold("no_call"), Gold("ask")  # BFCL only says that nothing may be called


def _rotate(names: Sequence[str], number: int, seed: str) -> str:
    """Each name once a round, in an order that differs from round to round."""
    turn, position = divmod(number, len(names))
    order = list(names)
    Random(f"{seed}:{turn}").shuffle(order)
    return order[position]
