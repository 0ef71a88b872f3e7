"""Items under new menus: groups of tasks that share one menu of near-duplicate tools.

BFCL offers most queries one tool, so that whoever calls is right. Here a menu holds the tools of
several items and the nearest other tools, but none that would answer as well as the right one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import TypeVar

import msgspec

from benchmark.bfcl import Item
from benchmark.lexicon import Lexicon, subject
from benchmark.suites import Gold, Suite, Task
from trajectory.records import BadInput, Record, Tool, User

T = TypeVar("T")


class Menus(Record, frozen=True):
    """How groups are made; likenesses and affinities are those of `lexicon`, from 0 to 1."""

    seed: int
    groups: int
    calls_per_group: int
    no_calls_per_group: int
    menu_size: int
    ambiguous: float
    answerable: float
    templates: tuple[str, ...]
    tool_formats: tuple[str, ...]
    reply_formats: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    calls: tuple[Item, ...]
    no_calls: tuple[Item, ...]
    menu: tuple[str, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return self.calls + self.no_calls


def derive(name: str, items: Sequence[Item], menus: Menus) -> tuple[Suite, Counter[str]]:
    """A suite of the items, and how many could not be used for which reason."""
    tools = one_schema_per_name(items)
    usable = [kept for item in items if (kept := _with_tools(item, tools))]
    groups = Grouping(usable, tools, menus).groups()
    if len(groups) < menus.groups:
        raise BadInput(
            f"{name}: groups: {len(usable)} items make {len(groups)}, not {menus.groups}"
        )
    tasks = [task for number, group in enumerate(groups) for task in _tasks(number, group, menus)]
    offered = sorted({tool for group in groups for tool in group.menu})
    dropped = Counter({"tool's name has another schema": len(items) - len(usable)})
    return Suite(name, {tool: tools[tool] for tool in offered}, tuple(tasks)), dropped


def one_schema_per_name(items: Iterable[Item]) -> dict[str, Tool]:
    """Tools by name; where schemas differ, the one most items bring."""
    brought: dict[str, Counter[bytes]] = {}
    for item in items:
        for tool in item.tools:
            brought.setdefault(tool.name, Counter())[msgspec.json.encode(tool, order="sorted")] += 1
    return {
        name: msgspec.json.decode(max(versions, key=lambda text: (versions[text], text)), type=Tool)
        for name, versions in sorted(brought.items())
    }


def _with_tools(item: Item, tools: dict[str, Tool]) -> Item | None:
    """The item without tools that are another tool under the same name."""
    kept = tuple(tool for tool in item.tools if tools[tool.name] == tool)
    if not kept or (item.gold and kept[0].name != item.gold.name):
        return None
    return Item(item.id, item.query, kept, item.gold)


class Grouping:
    """Greedy and in an order that only ids and the seed decide."""

    def __init__(self, items: Sequence[Item], tools: dict[str, Tool], menus: Menus) -> None:
        self.menus = menus
        self.lexicon = Lexicon(tools.values())
        shuffled = sorted(items, key=lambda item: Random(f"{menus.seed}:{item.id}").random())
        self.calls = [item for item in shuffled if item.gold]
        self.no_calls = [item for item in shuffled if not item.gold]
        self.tools = sorted(tools)
        # what an author offered side by side was told apart by a person
        self.told_apart = {
            pair
            for item in items
            for pair in combinations(sorted(tool.name for tool in item.tools), 2)
        }

    def groups(self) -> list[Group]:
        found: list[Group] = []
        used: set[str] = set()
        for seed in self.calls:
            if len(found) == self.menus.groups:
                break
            if seed.id not in used and (group := self._group(seed, used)):
                found.append(group)
                used.update(item.id for item in group.items)
        return found

    def _group(self, seed: Item, used: set[str]) -> Group | None:
        """The seed with the items, then the tools, that are nearest to it; None if too few fit."""
        menus = self.menus
        items = [seed]
        menu = [self._tool(seed)]
        for pool, wanted in (
            (self.calls, menus.calls_per_group),
            (self.no_calls, menus.calls_per_group + menus.no_calls_per_group),
        ):
            free = [item for item in pool if item.id not in used]
            for item in self._nearest(free, self._tool, menu):
                tool = self._tool(item)
                if len(items) < wanted and self._sound([*items, item], [*menu, tool]):
                    items.append(item)
                    menu.append(tool)
            if len(items) < wanted:
                return None
        for tool in self._nearest(self.tools, str, menu[: menus.calls_per_group]):
            if len(menu) < menus.menu_size and self._sound(items, [*menu, tool]):
                menu.append(tool)
        if len(menu) < menus.menu_size:
            return None
        Random(f"{menus.seed}:{seed.id}:menu").shuffle(menu)
        calls, no_calls = items[: menus.calls_per_group], items[menus.calls_per_group :]
        return Group(tuple(calls), tuple(no_calls), tuple(menu))

    def _tool(self, item: Item) -> str:
        """The tool an item brings: its gold's, or the one of its own that tempts most."""
        if item.gold:
            return item.gold.name
        return max(
            (self.lexicon.affinity(item.query, tool.name), tool.name) for tool in item.tools
        )[1]

    def _nearest(
        self, pool: Sequence[T], tool: Callable[[T], str], menu: Sequence[str]
    ) -> Iterator[T]:
        near = [-max(self.lexicon.likeness(tool(one), name) for name in menu) for one in pool]
        for place in sorted(range(len(pool)), key=lambda place: (near[place], place)):
            yield pool[place]

    def _sound(self, items: Sequence[Item], menu: Sequence[str]) -> bool:
        """No tool of the menu is as good as the right one, for the newest item and tool."""
        newest = menu[-1]
        return (
            all(self._distinct(tool, newest) for tool in menu[:-1])
            and not any(self._answers(newest, item) for item in items)
            and not any(self._answers(tool, items[-1]) for tool in menu)
        )

    def _distinct(self, one: str, other: str) -> bool:
        """Two tools a reader can choose between."""
        mine, theirs = subject(one), subject(other)
        if one == other or mine == theirs:
            return False
        if (min(one, other), max(one, other)) in self.told_apart:
            return True
        within = mine <= theirs or theirs <= mine  # get_weather, get_current_weather
        return not within and self.lexicon.likeness(one, other) <= self.menus.ambiguous

    def _answers(self, tool: str, item: Item) -> bool:
        """Whether `tool` could answer the item's query in place of its own."""
        if tool == self._tool(item) or (item.gold and any(tool == own.name for own in item.tools)):
            return False
        fit = self.lexicon.affinity(item.query, tool)
        if fit < self.menus.answerable:
            return False
        return item.gold is None or fit >= self.lexicon.affinity(item.query, item.gold.name)


def _tasks(number: int, group: Group, menus: Menus) -> Iterator[Task]:
    for item in group.items:
        yield Task(
            id=f"bfcl/{item.id}",
            group=f"bfcl/g{number:03}",
            menu=group.menu,
            language="en",
            turns=(User(item.query),),
            golds=_golds(item),
            kind="call" if item.gold else "irrelevant",
            template=_rotated(menus.templates, number, f"{menus.seed}:template"),
            tool_format=_rotated(menus.tool_formats, number, f"{menus.seed}:tool_format"),
            reply_format=_rotated(menus.reply_formats, number, f"{menus.seed}:reply_format"),
        )


def _golds(item: Item) -> tuple[Gold, ...]:
    if item.gold:
        return (Gold("call", calls=(item.gold,)),)
    return Gold("no_call"), Gold("ask")  # BFCL only says that nothing may be called


def _rotated(names: Sequence[str], number: int, seed: str) -> str:
    """Each name once per round, in an order that differs from round to round."""
    turn, place = divmod(number, len(names))
    order = list(names)
    Random(f"{seed}:{turn}").shuffle(order)
    return order[place]
