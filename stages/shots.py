"""The house questions once more, after worked examples: what a prompt alone teaches the base model.

reads   data/asked/house/         the suite, with the tasks that are asked
        data/prompts.jsonl        Questions; those of other suites are left out
        data/negatives.jsonl      training groups, kept apart from the suite's queries by `verify`
        data/base/                the tokenizer
writes  data/shots.jsonl          Questions; the examples are a part of a group's shared prompt
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Assistant, BadInput, Decision, Group, Record, Turn
from agent_tuning.runtime import cli, config
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

Example = tuple[Turn, ...]  # a query and its decision


class WorkedExamplesConfig(Record, frozen=True):
    call: int
    no_call: int


class ExamplePool:
    """Training queries that are decided at once, by language and decision."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.found: dict[tuple[str, Decision], list[tuple[str, Example]]] = {}
        for trajectory in chain.from_iterable(group.trajectories for group in groups):
            turns = trajectory.turns[:2]
            if isinstance(turns[-1], Assistant):
                kind = (trajectory.language, turns[-1].decision)
                self.found.setdefault(kind, []).append((trajectory.id, turns))

    def of(
        self, group: str, language: str, decision: Decision, menu: Collection[str], count: int
    ) -> list[Example]:
        """Calls of the menu's tools first; whatever else stands in the training data, the same."""

        def rank(one: tuple[str, Example]) -> tuple[bool, str]:
            foreign = not {call.name for call in _decision(one[1]).calls} <= set(menu)
            return foreign, hashlib.blake2b(f"{group}:{one[0]}".encode()).hexdigest()

        known = self.found.get((language, decision), [])
        if len(known) < count:
            raise BadInput(f"{len(known)} {language} examples of {decision}: expected {count}")
        return [turns for _, turns in sorted(known, key=rank)[:count]]


def _decision(example: Example) -> Assistant:
    decision = example[-1]
    assert isinstance(decision, Assistant)
    return decision


def add_worked_examples(
    asked: Iterable[QuestionGroup],
    suite: Suite,
    examples: ExamplePool,
    p: WorkedExamplesConfig,
    chat: ChatTokenizer,
) -> list[QuestionGroup]:
    """The suite's groups, with examples at the end of the shared prompt: calls first."""
    tasks = {task.id: task for task in suite.tasks}
    found = []
    for group in asked:
        task = tasks.get(next(iter(group.questions)))
        if task is None:
            continue
        menu = [tool.name for tool in suite.tools_of(task)]
        counts: Sequence[tuple[Decision, int]] = (("call", p.call), ("no_call", p.no_call))
        turns = [
            turn
            for decision, count in counts
            for example in examples.of(group.group, task.language, decision, menu, count)
            for turn in example
        ]
        prefix = (*group.prefix, *chat.branch(turns, task.reply_format).ids)
        found.append(msgspec.structs.replace(group, prefix=prefix))
    return found


def main(house: Path, prompts: Path, training: Path, base: Path, target: Path) -> None:
    examples = ExamplePool(jsonl.read(training, Group))
    asked = jsonl.read(prompts, QuestionGroup)
    chat = ChatTokenizer(base / "tokenizer.json")
    groups = add_worked_examples(
        asked, suites.read(house), examples, config.load("shots", WorkedExamplesConfig), chat
    )
    jsonl.write(target, groups)
    print(f"{target}: {sum(len(group.questions) for group in groups)} questions")


if __name__ == "__main__":
    cli.run(main)
