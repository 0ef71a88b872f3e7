"""The validation examples as a suite: what choices are made by, in the benchmark's own numbers.

It is asked and scored as any suite. Its examples come from the writers of the training data, so its
numbers choose shares, weights and steps, and say nothing about other people's wordings.
"""

from collections.abc import Mapping, Sequence

from agent_tuning.records import Assistant, Group, Tool
from benchmark.tasks import suites
from benchmark.tasks.gold_turn import build_gold
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Suite, Task, TaskGroup


def build_suite(name: str, groups: Sequence[Group]) -> Suite:
    """One task for every trajectory: its last decision, whose values are the accepted ones."""
    tools = key_tools(groups)
    task_groups = [build_task_group(group, tools) for group in groups]
    return suites.join_groups(name, tools, task_groups)


def key_tools(groups: Sequence[Group]) -> dict[str, Tool]:
    """Tools by key: the name, and for further tools of the same name `name@2`, `name@3` …

    `diversify` may give one name to different tools under different prompts.
    """
    tools: dict[str, Tool] = {}
    for tool in (tool for group in groups for tool in group.tools):
        key, number = tool.name, 1
        while tools.setdefault(key, tool) != tool:
            number += 1
            key = f"{tool.name}@{number}"
    return tools


def find_key(tool: Tool, tools: Mapping[str, Tool]) -> str:
    """The key of one of these tools."""
    return next(key for key, known in tools.items() if known == tool)


def build_task_group(group: Group, tools: Mapping[str, Tool]) -> TaskGroup:
    spec = group.prompt
    prompt = SuitePrompt(
        id=spec.id,
        language=spec.language,
        tools=tuple(find_key(tool, tools) for tool in spec.tools),
        template=spec.template,
        tool_format=spec.tool_format,
        reply_format=spec.reply_format,
        instructions=spec.instructions,
    )
    tasks = []
    for trajectory in group.trajectories:
        *turns, decision = trajectory.turns
        assert isinstance(decision, Assistant)
        golds = (build_gold(decision),)
        tasks.append(Task(trajectory.id, spec.id, tuple(turns), golds, trajectory.kind))
    return TaskGroup(prompt, tuple(tasks))
