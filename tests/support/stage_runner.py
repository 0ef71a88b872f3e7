"""The stages of dvc.yaml in one process, without DVC: `python -m tests.support.stage_runner LAST`.

They run in this folder for the recipe that its params.yaml chooses, up to the stage LAST. `fetch`,
`suites` and `self_replies` are left out: the caller puts there a model, protected queries and
general conversations.
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from agent_tuning.runtime import cli

ROOT = Path(__file__).parents[2]
PUT_THERE = ("fetch", "suites", "self_replies")


def list_commands(recipe: str, last: str) -> Iterator[tuple[str, list[str]]]:
    """The names of the stages and the words of their commands, in the order of dvc.yaml."""
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        for item in stage.get("foreach", {"": {}}).values():
            command = stage.get("do", stage)["cmd"]
            for key, value in item.items():
                command = command.replace(f"${{item.{key}}}", value)
            if name not in PUT_THERE:
                yield name, command.replace("${recipe}", recipe).split()[2:]
        if name == last:
            return


if __name__ == "__main__":
    (last,) = sys.argv[1:]
    chosen = yaml.safe_load(Path("params.yaml").read_text())["recipe"]
    for stage_name, words in list_commands(chosen, last):
        sys.argv = words
        cli.run(importlib.import_module(f"stages.{stage_name}").main)
