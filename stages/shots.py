"""Ask a suite's questions after worked examples: what a prompt alone teaches the base model.

reads   data/asked/               the suites, with the tasks that are asked
        data/requests.jsonl       QuestionGroup; groups of other suites are left out
        data/with_negatives.jsonl training groups, kept apart from the suite's queries by `verify`
        data/written_groups.jsonl the same of written examples, where there are no others
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


def main(
    asked: Path,
    requests: Path,
    training: Path,
    base: Path,
    shots: Path,
    *,
    written: Path | None = None,
) -> None:
    p = config.load("shots", WorkedExamplesConfig)
    groups = list(jsonl.read(training, Group))
    if not groups and written:
        groups = list(jsonl.read(written, Group))
    pool = ExamplePool(groups)
    chat = ChatTokenizer(base / "tokenizer.json")
    questions = jsonl.read(requests, QuestionGroup)
    asked_again = add_worked_examples(questions, suites.read(asked / p.suite), pool, p, chat)
    jsonl.write(shots, asked_again)
    print(f"{shots}: {sum(len(group.questions) for group in asked_again)} questions")


if __name__ == "__main__":
    cli.run(main)
