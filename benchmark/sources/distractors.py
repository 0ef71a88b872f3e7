"""Items under new menus: groups of tasks that share one menu of near-duplicate tools.

BFCL offers most queries one tool, so that whoever calls is right. Here a menu holds the tools of
several items, the other tools that their authors offered beside them, and the nearest of all the
rest, but none that would answer as well as the right one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

import msgspec
import numpy as np

from agent_tuning.records import BadInput, Record, Tool, User
from benchmark.sources.bfcl import Item
from benchmark.sources.tool_similarity import Matrix, ToolSimilarity, build_incidence, subject_words
from benchmark.tasks.suites import Gold, Suite, Task


class DistractorsConfig(Record, frozen=True):
    """How groups are made; likenesses and affinities are those of `lexicon`, from 0 to 1."""

    seed: int
    calls_per_group: int
    no_calls_per_group: int
    menu_size: int
    ambiguous: float
    answerable: float
    templates: tuple[str, ...]
    tool_formats: tuple[str, ...]
    reply_formats: tuple[str, ...]


@dataclass(frozen=True)
class ItemGroup:
    items: tuple[Item, ...]
    menu: tuple[str, ...]  # keys of tools


def derive_suite(
    name: str, items: Sequence[Item], menus: DistractorsConfig
) -> tuple[Suite, Counter[str]]:
    """A suite of the items, and how many could not be used for which reason."""
    tools = key_tools(items)
    groups = GroupBuilder(items, tools, menus).groups()
    if not groups:
        raise BadInput(f"{name}: {len(items)} items make no menu of {menus.menu_size} tools")
    tasks = [
        task for number, group in enumerate(groups) for task in _tasks(name, number, group, menus)
    ]
    offered = sorted({key for group in groups for key in group.menu})
    unused = Counter({"no sound menu": len(items) - len(tasks)})
    return Suite(name, {key: tools[key] for key in offered}, tuple(tasks)), +unused


def key_tools(items: Iterable[Item]) -> dict[str, Tool]:
    """Tools by key: the name, and for less usual tools of the same name `name@2`, `name@3` …"""
    brought: dict[str, dict[bytes, list[Tool]]] = {}
    for tool in (tool for item in items for tool in item.tools):
        brought.setdefault(tool.name, {}).setdefault(_canonical(tool), []).append(tool)
    found = {}
    for name, versions in sorted(brought.items()):
        usual_first = sorted(versions, key=lambda text: (-len(versions[text]), text))
        for number, text in enumerate(usual_first, 1):
            key = name if number == 1 else f"{name}@{number}"
            # In an author's order of parameters, which says more than the alphabet's.
            found[key] = min(versions[text], key=msgspec.json.encode)
    return found


def _canonical(tool: Tool) -> bytes:
    return msgspec.json.encode(tool, order="sorted")


class GroupBuilder:
    """Greedy and in an order that only ids and the seed decide. Items and tools are numbered."""

    def __init__(
        self, items: Sequence[Item], tools: dict[str, Tool], menus: DistractorsConfig
    ) -> None:
        self.menus = menus
        self.items = sorted(items, key=lambda item: Random(f"{menus.seed}:{item.id}").random())
        self.keys = list(tools)
        lexicon = ToolSimilarity(tools.values())
        self.likeness = lexicon.likeness()
        self.affinity = lexicon.affinity(item.query for item in self.items)
        place = {_canonical(tool): number for number, tool in enumerate(tools.values())}
        self.own = [[place[_canonical(tool)] for tool in item.tools] for item in self.items]
        self.brought = list(map(self._brought, range(len(self.items))))
        self.distinct = self._distinct(list(tools.values()))
        self.answers = self._answers()

    def _brought(self, number: int) -> list[int]:
        """The tools that an item cannot do without: its golds', or the own one that tempts most."""
        called = {call.name for call in self.items[number].golds}
        if called:
            return self.own[number][: len(called)]
        return [max(self.own[number], key=lambda tool: (self.affinity[number, tool], tool))]

    def _distinct(self, tools: Sequence[Tool]) -> Matrix:
        """Pairs of tools that a reader can choose between."""
        subjects = [subject_words(tool.name) for tool in tools]
        column = {word: n for n, word in enumerate(sorted(set().union(*subjects)))}
        uses = build_incidence(subjects, column)
        common = (uses @ uses.T).toarray()
        sizes = common.diagonal()
        within = common == np.minimum(sizes[:, None], sizes)  # get_weather, get_current_weather
        distinct: Matrix = ~within & (self.likeness <= self.menus.ambiguous)
        for own in self.own:  # what an author offered side by side was told apart by a person
            for one, other in combinations(own, 2):
                apart = subjects[one] != subjects[other]
                distinct[one, other] = distinct[other, one] = apart
        return distinct

    def _answers(self) -> Matrix:
        """items x tools: whether a tool could answer an item's query in place of its own."""
        found: Matrix = self.affinity >= self.menus.answerable
        for number, item in enumerate(self.items):
            if item.golds:
                found[number] &= self.affinity[number] >= min(
                    self.affinity[number, tool] for tool in self.brought[number]
                )
            found[number, self.own[number]] = False  # its author says so
        return found

    def groups(self) -> list[ItemGroup]:
        """Whole groups first, then smaller ones of what is left over."""
        found: list[ItemGroup] = []
        left = np.ones(len(self.items), dtype=bool)
        for whole in (True, False):
            for seed in range(len(self.items)):
                if left[seed] and (made := self._group(seed, left, whole)):
                    found.append(self._named(made))
                    left[made.items] = False
        return found

    def _group(self, seed: int, left: Matrix, whole: bool) -> "_Group | None":
        """The seed with the items, then the tools, that are nearest to it; None if too few fit."""
        menus, group = self.menus, _Group(self)
        wanted = {True: menus.calls_per_group, False: menus.no_calls_per_group}
        if not group.take(seed):
            return None
        for calls in (True, False):
            taken = sum(bool(self.items[item].golds) == calls for item in group.items)
            pool = [n for n, item in enumerate(self.items) if left[n] and bool(item.golds) == calls]
            for item in self._nearest(pool, group.menu):
                if taken == wanted[calls]:
                    break
                taken += item not in group.items and group.take(item)
            if whole and taken != wanted[calls]:
                return None
        for tool in self._fillers(group):
            if len(group.menu) < menus.menu_size and group.free[tool]:
                group.offer(tool)
        return group if len(group.menu) == menus.menu_size else None

    def _nearest(self, pool: Sequence[int], menu: Sequence[int]) -> list[int]:
        """Items by the likeness of their tool; those whose tool is on the menu already come last.

        Five queries for one tool would ask little more than one does.
        """
        tools = [self.brought[item][0] for item in pool]
        near = self.likeness[np.ix_(tools, menu)].max(axis=1) if pool else np.zeros(0)
        order = np.lexsort((np.array(pool), -near, np.isin(tools, menu)))
        return [pool[n] for n in order]

    def _fillers(self, group: "_Group") -> Iterator[int]:
        """What authors offered beside the right tools, most tempting first; then the nearest."""
        own = {(-self.affinity[n, tool], tool) for n in group.items for tool in self.own[n]}
        yield from (tool for _, tool in sorted(own))
        near = self.likeness[:, group.menu].max(axis=1)
        yield from map(int, np.lexsort((np.arange(len(near)), -near)))

    def _named(self, made: "_Group") -> ItemGroup:
        items = tuple(self.items[number] for number in made.items)
        menu = [self.keys[tool] for tool in made.menu]
        Random(f"{self.menus.seed}:{items[0].id}:menu").shuffle(menu)
        return ItemGroup(items, tuple(menu))


class _Group:
    """A group in the making; `free` are the tools that its menu may still take."""

    def __init__(self, of: GroupBuilder) -> None:
        self.of = of
        self.items: list[int] = []
        self.menu: list[int] = []
        self.free = np.ones(len(of.keys), dtype=bool)

    def take(self, item: int) -> bool:
        """Take the item with its tools if the menu stays sound: of all, one tool is right."""
        of = self.of
        new = [tool for tool in of.brought[item] if tool not in self.menu]
        sound = (
            len(self.menu) + len(new) <= of.menus.menu_size
            and self.free[new].all()
            and all(of.distinct[one, other] for one, other in combinations(new, 2))
            and not of.answers[item, self.menu].any()
        )
        if sound:
            self.items.append(item)
            self.free &= ~of.answers[item]
            for tool in new:
                self.offer(tool)
        return bool(sound)

    def offer(self, tool: int) -> None:
        self.menu.append(tool)
        self.free &= self.of.distinct[tool]


def _tasks(name: str, number: int, group: ItemGroup, menus: DistractorsConfig) -> Iterator[Task]:
    for item in group.items:
        yield Task(
            id=f"{name}/{item.id}",
            group=f"{name}/g{number:03}",
            menu=group.menu,
            language="en",
            turns=(User(item.query),),
            golds=_golds(item),
            kind=("irrelevant", "call")[len(item.golds)] if len(item.golds) < 2 else "multi",
            template=_rotated(menus.templates, number, f"{menus.seed}:template"),
            tool_format=_rotated(menus.tool_formats, number, f"{menus.seed}:tool_format"),
            reply_format=_rotated(menus.reply_formats, number, f"{menus.seed}:reply_format"),
        )


def _golds(item: Item) -> tuple[Gold, ...]:
    if item.golds:
        return (Gold("call", calls=item.golds),)
    return Gold("no_call"), Gold("ask")  # BFCL only says that nothing may be called


def _rotated(names: Sequence[str], number: int, seed: str) -> str:
    """Each name once per round, in an order that differs from round to round."""
    turn, place = divmod(number, len(names))
    order = list(names)
    Random(f"{seed}:{turn}").shuffle(order)
    return order[place]
