"""Make a suite of the validation examples, to choose by in the benchmark's own numbers.

reads   data/validation.jsonl    Group
writes  data/validation/         tools, prompts and tasks
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import Group
from agent_tuning.runtime import cli
from benchmark.sources.validation_suite import build_suite
from benchmark.tasks import suites


def main(groups: Path, suite: Path) -> None:
    built = build_suite(suite.name, list(jsonl.read(groups, Group)))
    suites.write(suite, built)
    print(f"{suite}: {len(built.tasks)} tasks")


if __name__ == "__main__":
    cli.run(main)
