"""Choose the tasks of each suite that the models answer, and write them as token ids.

reads   benchmark/suites/, data/suites/ …   folders of suites; params.yaml names those to ask
        data/base/                          the tokenizer
        data/instructions.yaml              what a client may say beside its tools
writes  data/asked/            the same suites, a folder each, with the tasks that are asked
        data/requests.jsonl    QuestionGroup: a group's shared prompt, and its questions
        metrics/build_requests.json how many tasks a suite has, and how many of them are asked
"""

from collections.abc import Sequence
from pathlib import Path

from agent_tuning.files import jsonl, metrics_file, yaml_records
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.instructions import Instructions
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from benchmark.tasks.requests import RequestsConfig, build_requests, choose_prompts
from benchmark.tasks.sampling import sample_groups


def find_suite(name: str, folders: Sequence[Path]) -> Path:
    """The suite of that name in the first folder that has one."""
    for folder in folders:
        if (folder / name / "tasks.jsonl").exists():
            return folder / name
    raise BadInput(
        f"params.yaml: build_requests.groups: no suite {name} in {', '.join(map(str, folders))}"
    )


def main(
    base: Path, instructions: Path, asked: Path, requests: Path, metrics: Path, *folders: Path
) -> None:
    p, chat = config.load("build_requests", RequestsConfig), ChatTokenizer(base / "tokenizer.json")
    texts = yaml_records.read(instructions, Instructions).evaluation
    groups: list[QuestionGroup] = []
    counts: dict[str, int] = {}
    for name, count in p.groups.items():
        whole = suites.read(find_suite(name, folders))
        sample = choose_prompts(sample_groups(whole, count), p, texts)
        suites.write(asked / name, sample)
        groups += build_requests(sample, chat)
        counts[f"{name}.tasks"] = len(whole.tasks)
        counts[f"{name}.asked"] = len(sample.tasks)
        print(f"{asked / name}: {len(sample.tasks)} of {len(whole.tasks)} tasks")
    jsonl.write(requests, groups)
    metrics_file.write(metrics, counts)
    shared = sum(len(group.prefix) for group in groups)
    print(f"{requests}: {len(groups)} groups, {shared} shared tokens")


if __name__ == "__main__":
    cli.run(main)
