"""Prompts that the model's own chat template writes, each with all tools in another order.

A company's assistant always has all of its tools. Only their order changes, so that no suite can
be passed by a model that learned places in a list.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.records import NATIVE
from benchmark.drafting.catalogue_tools import collect_tools
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Suite, TaskGroup

T = TypeVar("T")


def build_native_prompt(id: str, tools: Iterable[str], seed: int) -> SuitePrompt:
    """An English prompt with the tools in an order that follows from the seed and the id."""
    names = sorted(tools)
    shuffled = random.Random(f"{seed}:{id}").sample(names, len(names))
    return SuitePrompt(id, "en", tuple(shuffled), NATIVE, NATIVE, NATIVE)


def deal_out(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """As few groups as have at most `size` items, filled in turn.

    If the items are in order of their kinds, every group gets nearly the same mixture.
    """
    count = -(-len(items) // size)
    return (list(items[start::count]) for start in range(count))


def join_native_groups(name: str, catalogue: Catalogue, groups: Sequence[TaskGroup]) -> Suite:
    """The suite of these groups, with the tools that their prompts list."""
    tools = collect_tools(catalogue, [group.prompt.tools for group in groups])
    return suites.join_groups(name, tools, groups)
