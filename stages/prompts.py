"""Turn the tasks of the suites into token ids: a group's shared prompt and its questions.

reads   benchmark/suites/house/, data/suites/bfcl/   the suites
        data/base/                                   the tokenizer
writes  data/prompts.jsonl                           Questions, one a group
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from benchmark import suites
from benchmark.suites import Suite
from trajectory import command, jsonl, prompts
from trajectory.chat import Chat
from trajectory.questions import Questions


def questions(suite: Suite, chat: Chat) -> Iterator[Questions]:
    tasks = sorted(suite.tasks, key=lambda task: (task.group, task.id))
    for group, members in groupby(tasks, key=lambda task: task.group):
        same = list(members)
        first = same[0]
        system = prompts.system(
            first.template, suite.menu(first), first.tool_format, first.reply_format
        )
        yield Questions(
            group,
            tuple(chat.prefix(system)),
            {task.id: tuple(chat.question(task.turns, task.reply_format)) for task in same},
        )


def main(house: Path, bfcl: Path, base: Path, target: Path) -> None:
    chat = Chat(base / "tokenizer.json")
    groups = [group for folder in (house, bfcl) for group in questions(suites.read(folder), chat)]
    jsonl.write(target, groups)
    asked = sum(len(group.questions) for group in groups)
    shared = sum(len(group.prefix) for group in groups)
    print(f"{target}: {asked} questions in {len(groups)} groups, {shared} shared tokens")


if __name__ == "__main__":
    command.run(main)
