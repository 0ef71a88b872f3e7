"""A fixed sample of a suite, for a machine that has no time to answer the whole suite."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmark.tasks.suites import Suite, Task

TASK_FACETS = ("kind", "decision")
PROMPT_FACETS = ("language", "template", "tool_format", "reply_format")


def sample_groups(suite: Suite, groups: int | None) -> Suite:
    """The tasks of `groups` groups of a suite, or the whole suite where `groups` is None.

    Each next group is the one that brings the shares of all facets nearest to those of the whole
    suite. The order of the tasks has no influence. All sums are of integers, so that every machine
    chooses the same groups.
    """
    names = sorted({task.prompt for task in suite.tasks})
    if groups is None or groups >= len(names):
        return suite
    counts = _count_facets(suite, names)
    in_suite = counts.sum(axis=0)
    total, group_sizes = int(in_suite[0]), counts[:, 0]
    chosen: list[int] = []
    in_sample = np.zeros_like(in_suite)
    for _ in range(groups):
        sample_sizes = in_sample[0] + group_sizes  # with each of the groups added
        # The difference of shares, times both sizes: an integer.
        difference = (in_sample + counts) * total - in_suite * sample_sizes[:, None]
        distance = (difference * difference).sum(axis=1)
        distance[chosen] = np.iinfo(np.int64).max
        chosen.append(int(distance.argmin()))
        in_sample = in_sample + counts[chosen[-1]]
    chosen_names = {names[index] for index in chosen}
    tasks = tuple(task for task in suite.tasks if task.prompt in chosen_names)
    prompts = {id: prompt for id, prompt in suite.prompts.items() if id in chosen_names}
    offered = {key for prompt in prompts.values() for key in prompt.tools}
    tools = {key: tool for key, tool in suite.tools.items() if key in offered}
    return replace(suite, tools=tools, prompts=prompts, tasks=tasks)


def _count_facets(suite: Suite, names: list[str]) -> np.ndarray:
    """Tasks per group (int64, groups x facets); the first column counts all of them."""
    row = {name: index for index, name in enumerate(names)}
    facets = {facet for task in suite.tasks for facet in _list_facets(suite, task)}
    column = {facet: index for index, facet in enumerate(sorted(facets), 1)}
    counts = np.zeros((len(names), len(column) + 1), dtype=np.int64)
    for task in suite.tasks:
        counts[row[task.prompt], 0] += 1
        for facet in _list_facets(suite, task):
            counts[row[task.prompt], column[facet]] += 1
    return counts


def _list_facets(suite: Suite, task: Task) -> Iterator[tuple[str, str]]:
    yield from ((name, getattr(task, name)) for name in TASK_FACETS)
    yield from ((name, getattr(suite.prompt(task), name)) for name in PROMPT_FACETS)
    yield from ((f"axis {axis}", side) for axis, side in task.axes.items())
    yield from {("tool", call.name) for call in task.golds[0].calls}
