"""Ask a suite's questions after worked examples: what a prompt alone teaches the base model.

reads   data/asked/               the suites, with the tasks that are asked
        data/requests.jsonl       QuestionGroup; groups of other suites are left out
        data/with_negatives.jsonl training groups, kept apart from the suite's queries by `verify`
        data/base/                the tokenizer
writes  data/shots.jsonl          QuestionGroup; the examples are part of a group's shared prompt
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from benchmark.tasks.worked_examples import ExamplePool, WorkedExamplesConfig, add_worked_examples


def main(asked: Path, requests: Path, training: Path, base: Path, shots: Path) -> None:
    p = config.load("shots", WorkedExamplesConfig)
    pool = ExamplePool(jsonl.read(training, Group))
    chat = ChatTokenizer(base / "tokenizer.json")
    questions = jsonl.read(requests, QuestionGroup)
    groups = add_worked_examples(questions, suites.read(asked / p.suite), pool, p, chat)
    jsonl.write(shots, groups)
    print(f"{shots}: {sum(len(group.questions) for group in groups)} questions")


if __name__ == "__main__":
    cli.run(main)
