"""Worked examples from the training data, put before a group's questions.

They show what a prompt alone teaches the base model.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Assistant, BadInput, Decision, Group, Record, Turn
from agent_tuning.runtime.ranges import Count
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks.suites import Suite


class WorkedExamplesConfig(Record, frozen=True):
    """Whose tasks come after examples, and how many: of a call, and of a reply without one."""

    suite: str
    call: Count
    no_call: Count


class Example(NamedTuple):
    """A training query and its decision; `id` is the trajectory's."""

    id: str
    query: Turn
    decision: Assistant


class ExamplePool:
    """Training queries that are decided at once, by language and decision."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.examples: dict[tuple[str, Decision], list[Example]] = {}
        for trajectory in (trajectory for group in groups for trajectory in group.trajectories):
            query, decision = trajectory.turns[:2]
            if isinstance(decision, Assistant):
                cell = (trajectory.language, decision.decision)
                self.examples.setdefault(cell, []).append(Example(trajectory.id, query, decision))

    def choose(
        self, group: str, language: str, decision: Decision, tools: Collection[str], count: int
    ) -> list[Example]:
        """Calls of `tools` (names) come first.

        The choice depends on the group's and the trajectories' ids, so another training
        trajectory changes it only where it is chosen itself.
        """

        def rank(example: Example) -> tuple[bool, str]:
            calls_other_tools = not {call.name for call in example.decision.calls} <= set(tools)
            digest = hashlib.blake2b(f"{group}:{example.id}".encode()).hexdigest()
            return calls_other_tools, digest

        known = self.examples.get((language, decision), [])
        if len(known) < count:
            raise BadInput(
                f"params.yaml: shots.{decision}: expected {count} {language} examples, "
                f"the training data has {len(known)}; lower it"
            )
        return sorted(known, key=rank)[:count]


def add_worked_examples(
    groups: Iterable[QuestionGroup],
    suite: Suite,
    pool: ExamplePool,
    p: WorkedExamplesConfig,
    chat: ChatTokenizer,
) -> list[QuestionGroup]:
    """The suite's groups, with examples at the end of the shared prompt: calls first.

    Groups of other suites are left out.
    """
    tasks = {task.id: task for task in suite.tasks}
    counts: Sequence[tuple[Decision, int]] = (("call", p.call), ("no_call", p.no_call))
    with_examples = []
    for group in groups:
        task = tasks.get(next(iter(group.questions)))
        if task is None:
            continue
        prompt = suite.prompt(task)
        tools = [tool.name for tool in prompt.tools]
        turns: list[Turn] = []
        for decision, count in counts:
            for example in pool.choose(group.group, prompt.language, decision, tools, count):
                turns += [example.query, example.decision]
        examples = chat.branch(turns, prompt).ids
        # Asked again after the examples: a template may write a later message another way.
        questions = {
            name: tuple(chat.question([*turns, *tasks[name].turns], prompt)[len(examples) :])
            for name in group.questions
        }
        prefix = (*group.prefix, *examples)
        with_examples.append(msgspec.structs.replace(group, prefix=prefix, questions=questions))
    return with_examples
