"""docs/own-tools.md, done as it says: an API of others becomes packs of training data."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, Group, ToolResult
from agent_tuning.runtime import cli
from agent_tuning.tokens import pack_file
from tests.support import general_params, smoke

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-tools.md").read_text()
FILES = dict(re.findall(r"```yaml (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
            for line in block.splitlines()]  # fmt: skip
STAGES = [
    *("plan", "synthesize", "verify", "add_hard_negatives", "written", "diversify"),
    *("mix", "render"),
]
SMALL = {
    "plan": {
        "groups": {"en": 8, "zh": 0},
        "minimum": {"en": 3, "zh": 0},
        "tools_per_prompt": [3],
    },
    "held_out": {"tools": []},
    "add_hard_negatives": {"max_auc": 1.0},
    "mix": {"agent_per_general": 5},
    "render": {"max_len": 8192},
}
REMARKS = [
    ("Shopping on rainy days is nice.", "It is, with a cup of tea."),
    ("Do robots pack parcels now?", "In some warehouses they do."),
    ("I have bought too much this year.", "That happens to many of us."),
]
# What a person adds to the two tools that the page leaves open.
COMPLETED: dict[str, dict[str, Any]] = {
    "cancel_order": {
        "observations": [{"id": "{id}", "cancelled": True}],
        "scenarios": [
            {
                "name": "changed_my_mind",
                "queries": {
                    "en": [
                        "Cancel order {order}.",
                        "I do not want {order} any more, stop it.",
                        "Please call off my purchase number {order}.",
                        "Order {order} was a mistake, take it back.",
                    ]
                },
                "goal": {"en": "cancel order {order}"},
                "arguments": {"id": "{order}"},
                "reply": {"en": "Order {order} is cancelled."},
            }
        ],
    },
    "find_orders": {
        "scenarios": [
            {
                "name": "latest",
                "queries": {
                    "en": [
                        "What did {customer} order last?",
                        "Find the newest order of {customer}.",
                        "Which purchase of {customer} is the latest?",
                        "Show me what {customer} bought most recently.",
                    ]
                },
                "goal": {"en": "find the latest order of {customer}"},
                "arguments": {"customer": "{customer}"},
                "reply": {"en": "The latest of {1.count} orders is {1.id}."},
            },
            {
                "name": "state_of_latest",
                "queries": {
                    "en": [
                        "Is the last order of {customer} on its way?",
                        "Has the newest purchase by {customer} been sent?",
                        "When will the latest parcel reach {customer}?",
                        "Check how far the last order of {customer} is.",
                    ]
                },
                "goal": {"en": "find the latest order of {customer} first"},
                "arguments": {"customer": "{customer}"},
                "then": [
                    {
                        "tool": "get_order",
                        "goal": {"en": "now look up order {1.id}"},
                        "arguments": {"id": "{1.id}"},
                    }
                ],
                "reply": {"en": "Order {1.id} is {2.state}."},
            },
        ],
    },
}
CHAT = {
    "conversations": [
        {"from": "human", "value": "Name three colours, number {}."},
        {"from": "gpt", "value": "Red, green, blue."},
    ]
}


def completed(imported: dict[str, Any]) -> dict[str, Any]:
    """The imported domain with the page's example, and the other tools filled in like it."""
    example = yaml.safe_load(FILES["own/shop.yaml"])
    remarks = [{"query": {"en": query}, "reply": {"en": reply}} for query, reply in REMARKS]
    others = [
        tool | {"remarks": remarks} | COMPLETED[tool["name"]]
        for tool in imported["tools"]
        if tool["name"] in COMPLETED
    ]
    return example | {"tools": [*example["tools"], *others]}


def typed(command: str, folder: Path) -> None:
    """A command of the page, typed in the repository's root with the virtual environment active."""
    python, *rest = shlex.split(command)
    assert python == "python"
    subprocess.run([sys.executable, *rest], cwd=folder, check=True, env={"PYTHONPATH": str(ROOT)})


def run_stage(name: str) -> None:
    """A stage as dvc.yaml runs it, in this process."""
    command = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][name]["cmd"]
    command = command.replace("${recipe}", general_params.RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command.split()[2:])
        cli.run(importlib.import_module(f"stages.{name}").main)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    """A folder in which the page was followed, up to the packs."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "shop.yaml").write_text(FILES["shop.yaml"])
    typed(COMMANDS[0], folder)
    domain = completed(yaml.safe_load((folder / "own/shop.yaml").read_text()))
    (folder / "data/catalogue").mkdir(parents=True)
    (folder / "data/catalogue/shop.yaml").write_text(yaml.safe_dump(domain, sort_keys=False))
    (folder / "data/base").symlink_to(base)
    for name in ("phrasing", "general"):
        (folder / f"data/{name}.yaml").symlink_to(ROOT / f"data/{name}.yaml")
    params = smoke.merge(general_params.read(), SMALL)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    jsonl.write(folder / "data/protected.jsonl", [])
    rows = [json.loads(json.dumps(CHAT).replace("{}", str(number))) for number in range(20)]
    (folder / "chats.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    typed("python -m agent_tuning.converters.load sharegpt chats.jsonl data/general.jsonl", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in STAGES:
            run_stage(name)
    return folder


def trajectories(path: Path) -> list:
    return [one for group in jsonl.read(path, Group) for one in group.trajectories]


def test_the_pages_example_fits_what_the_import_gave(done):
    imported = Catalogue(done / "own").entries
    shown = Catalogue(done / "data/catalogue").entries
    assert shown.keys() == imported.keys() == {"get_order", "cancel_order", "find_orders"}
    for name, entry in imported.items():
        assert shown[name].parameters == entry.parameters
        assert shown[name].description == entry.description
    assert imported["get_order"].siblings  # imported tools are siblings by their words


def test_every_tool_of_the_company_is_called_and_none_of_ours_is_there(done):
    sound = trajectories(done / "data/general/sound.jsonl")
    calls = [call for one in sound for turn in one.turns if isinstance(turn, Assistant)
             for call in turn.calls]  # fmt: skip
    assert {call.name for call in calls} == {"get_order", "cancel_order", "find_orders"}
    assert list(jsonl.read(done / "data/general/rejects.jsonl", dict)) == []


def test_observations_are_the_authors_and_later_arguments_come_from_them(done):
    chains = [one for one in trajectories(done / "data/general/sound.jsonl") if one.kind == "chain"]
    assert chains
    for one in chains:
        first, second = (turn.content for turn in one.turns if isinstance(turn, ToolResult))
        assert first == {"id": 1204, "count": 3}
        assert second["id"] == 1204
        assert second["state"] in ("sent", "in the warehouse")


def test_there_are_hard_negatives_and_imported_general_conversation(done):
    mixed = list(jsonl.read(done / "data/general/mixed.jsonl", Group))
    kinds = {one.kind for group in mixed if group.tools for one in group.trajectories}
    assert kinds >= {"call", "chain", "on_topic_chat", "missing_argument"}
    general = [group for group in mixed if not group.tools]
    assert {group.trajectories[0].turns[1].text for group in general} == {"Red, green, blue."}


def test_the_packs_train_something(done):
    assert any(any(pack.weights) for pack in pack_file.read(done / "data/general/packs.parquet"))


def test_the_pages_other_commands_work_as_typed(done):
    (chats,) = (line for line in COMMANDS if "converters.load openai" in line)
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}
    (done / "chats.jsonl").write_text(json.dumps(row))
    (export,) = (line for line in COMMANDS if "converters.save" in line)
    for command in (chats, export):
        typed(command, done)
    assert len(list(jsonl.read(done / "own/chats.jsonl", Group))) == 1
    rows = (done / "own/for-llama-factory.jsonl").read_bytes().splitlines()
    assert len(rows) == len(trajectories(done / "data/general/mixed.jsonl"))
    assert "conversations" in msgspec.json.decode(rows[0])
