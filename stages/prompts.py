"""Choose what is asked of each suite, as token ids: a group's shared prompt and its questions.

reads   benchmark/suites/house/, data/suites/bfcl/ …   the suites, whole
        data/base/                                     the tokenizer
writes  data/asked/            the same suites, a folder each, with the tasks that are asked
        data/prompts.jsonl     Questions, one a group
        metrics/prompts.json   how many tasks of a suite there are, and how many are asked
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from benchmark.tasks.sampling import sample_groups
from benchmark.tasks.suites import Suite


class RequestsConfig(Record, frozen=True):
    groups: dict[str, int | None]


def build_requests(suite: Suite, chat: ChatTokenizer) -> Iterator[QuestionGroup]:
    tasks = sorted(suite.tasks, key=lambda task: (task.group, task.id))
    for group, members in groupby(tasks, key=lambda task: task.group):
        same = list(members)
        first = same[0]
        system = system_prompt.build(suite.prompt(first))
        yield QuestionGroup(
            group,
            REPLY_FORMATS[first.reply_format].VALID_PREFIXES,
            tuple(chat.prefix(system)),
            {task.id: tuple(chat.question(task.turns, task.reply_format)) for task in same},
        )


def main(base: Path, asked: Path, target: Path, metrics: Path, *folders: Path) -> None:
    p, chat = config.load("prompts", RequestsConfig), ChatTokenizer(base / "tokenizer.json")
    if {folder.name for folder in folders} != p.groups.keys():
        named = ", ".join(folder.name for folder in folders)
        raise BadInput(f"params.yaml: prompts.groups: expected a number for each of {named}")
    groups: list[QuestionGroup] = []
    counts: dict[str, int] = {}
    for folder in folders:
        whole = suites.read(folder)
        part = sample_groups(whole, p.groups[folder.name])
        suites.write(asked / folder.name, part)
        groups += build_requests(part, chat)
        counts[f"{folder.name}.tasks"] = len(whole.tasks)
        counts[f"{folder.name}.asked"] = len(part.tasks)
        print(f"{asked / folder.name}: {len(part.tasks)} of {len(whole.tasks)} tasks")
    jsonl.write(target, groups)
    metrics_file.write(metrics, counts)
    shared = sum(len(group.prefix) for group in groups)
    print(f"{target}: {len(groups)} groups, {shared} shared tokens")


if __name__ == "__main__":
    cli.run(main)
