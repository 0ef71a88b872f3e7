"""A fixed part of a suite that is like the whole: what a small machine has the time to answer."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmark.tasks.suites import Suite, Task

FACETS = ("kind", "decision", "language", "template", "tool_format", "reply_format")


def sample_groups(suite: Suite, groups: int | None) -> Suite:
    """The tasks of so many groups of a suite, or of all of them where `groups` is None.

    Each next group is the one that brings the shares of all facets nearest to those of the whole
    suite. The same tasks are chosen whatever their order, and everything is counted in whole
    numbers, so that no machine rounds otherwise.
    """
    names = sorted({task.group for task in suite.tasks})
    if groups is None or groups >= len(names):
        return suite
    counts = _counts(suite, names)
    whole = counts.sum(axis=0)
    total, sizes = int(whole[0]), counts[:, 0]
    chosen: list[int] = []
    have = np.zeros_like(whole)
    for _ in range(groups):
        size = have[0] + sizes
        apart = (have + counts) * total - whole * size[:, None]
        distance = (apart * apart).sum(axis=1)
        distance[chosen] = np.iinfo(np.int64).max
        chosen.append(int(distance.argmin()))
        have = have + counts[chosen[-1]]
    kept = {names[index] for index in chosen}
    tasks = tuple(task for task in suite.tasks if task.group in kept)
    offered = {key for task in tasks for key in task.menu}
    tools = {key: tool for key, tool in suite.tools.items() if key in offered}
    return replace(suite, tools=tools, tasks=tasks)


def _counts(suite: Suite, names: list[str]) -> np.ndarray:
    """Tasks per group (int64, groups x facets); the first column counts all of them."""
    row = {name: index for index, name in enumerate(names)}
    facets = {facet for task in suite.tasks for facet in _facets(task)}
    column = {facet: index for index, facet in enumerate(sorted(facets), 1)}
    counts = np.zeros((len(names), len(column) + 1), dtype=np.int64)
    for task in suite.tasks:
        counts[row[task.group], 0] += 1
        for facet in _facets(task):
            counts[row[task.group], column[facet]] += 1
    return counts


def _facets(task: Task) -> Iterator[tuple[str, str]]:
    yield from ((name, str(getattr(task, name))) for name in FACETS)
    yield from ((f"axis {axis}", side) for axis, side in task.axes.items())
    yield from {("tool", call.name) for call in task.golds[0].calls}
