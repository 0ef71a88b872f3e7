"""Choose the tasks of each suite that the models answer, and write them as token ids.

reads   benchmark/suites/house/, data/suites/bfcl/ …   the suites, whole
        data/base/                                     the tokenizer
writes  data/asked/            the same suites, a folder each, with the tasks that are asked
        data/requests.jsonl    QuestionGroup: a group's shared prompt, and its questions
        metrics/build_requests.json how many tasks a suite has, and how many of them are asked
"""

from dataclasses import replace
from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from benchmark.tasks.requests import RequestsConfig, build_requests
from benchmark.tasks.sampling import sample_groups
from benchmark.tasks.suite_prompts import make_native


def main(base: Path, asked: Path, requests: Path, metrics: Path, *folders: Path) -> None:
    p, chat = config.load("build_requests", RequestsConfig), ChatTokenizer(base / "tokenizer.json")
    if {folder.name for folder in folders} != p.groups.keys():
        names = ", ".join(folder.name for folder in folders)
        raise BadInput(
            "params.yaml: build_requests.groups: "
            f"expected a number of groups, or null, for each of {names}"
        )
    groups: list[QuestionGroup] = []
    counts: dict[str, int] = {}
    for folder in folders:
        whole = suites.read(folder)
        sample = sample_groups(whole, p.groups[folder.name])
        if p.native:
            sample = replace(sample, prompts=make_native(sample.prompts))
        suites.write(asked / folder.name, sample)
        groups += build_requests(sample, chat)
        counts[f"{folder.name}.tasks"] = len(whole.tasks)
        counts[f"{folder.name}.asked"] = len(sample.tasks)
        print(f"{asked / folder.name}: {len(sample.tasks)} of {len(whole.tasks)} tasks")
    jsonl.write(requests, groups)
    metrics_file.write(metrics, counts)
    shared = sum(len(group.prefix) for group in groups)
    print(f"{requests}: {len(groups)} groups, {shared} shared tokens")


if __name__ == "__main__":
    cli.run(main)
