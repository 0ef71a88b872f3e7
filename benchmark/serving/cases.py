"""What conformance asks: tasks of suites, and later steps twice, with and without earlier thoughts.

Some servers give a model's earlier thoughts back to it, as content beside its calls; others drop
them. Both prompts are asked of both sides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from agent_tuning.records import Assistant, PromptSpec, Record, Turn
from agent_tuning.runtime.ranges import Count, Weight
from benchmark.tasks.sampling import sample_groups
from benchmark.tasks.suites import Suite, Task

WITHOUT = "#without-thoughts"  # ends the id of a case


class ConformanceConfig(Record, frozen=True):
    """The section `conformance`: what is asked, and what counts as the same.

    `groups` of each suite are asked (None: all), and every task of it that is a later step.
    Fewer calls or later steps than the minimum fail. `streamed`: cases that are asked once more
    with a stream. `near_tie`: a gap of two logits below which either may be the next token.
    """

    groups: dict[str, Count | None]
    minimum_calls: Count
    minimum_later_steps: Count
    streamed: Count
    near_tie: Weight


class Case(NamedTuple):
    """A decision to ask for. `turns` are the task's, or those without earlier thoughts."""

    id: str
    suite: str
    task: Task
    spec: PromptSpec
    turns: tuple[Turn, ...]

    @property
    def is_later_step(self) -> bool:
        return any(isinstance(turn, Assistant) and turn.calls for turn in self.turns)

    @property
    def is_task(self) -> bool:
        """True for the task as its suite has it, which is what `predict` is asked."""
        return not self.id.endswith(WITHOUT)


def choose_cases(suites: Sequence[Suite], config: ConformanceConfig) -> Iterator[Case]:
    """In the order of the suites and their tasks."""
    for suite in suites:
        native = replace(
            suite, prompts={id: prompt.make_native() for id, prompt in suite.prompts.items()}
        )
        sampled = {task.id for task in sample_groups(native, config.groups[suite.name]).tasks}
        for task in native.tasks:
            case = Case(task.id, suite.name, task, native.prompt(task), task.turns)
            if task.id in sampled or case.is_later_step:
                yield case
                forgotten = tuple(map(forget_thought, task.turns))
                if forgotten != task.turns:
                    yield case._replace(id=task.id + WITHOUT, turns=forgotten)


def forget_thought(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, thought="") if isinstance(turn, Assistant) else turn
