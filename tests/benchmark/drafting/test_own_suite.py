"""The suites of somebody's own tools: of what there is, or one clear line."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_tuning.files import jsonl, yaml_edit
from agent_tuning.records import BadInput
from agent_tuning.synthesis import new_recipe
from benchmark.drafting import own_suite
from benchmark.reports.reported_suites import list_reported_suites
from benchmark.tasks import suites
from benchmark.tasks.suites import Erratum
from tests.support import own_tools

FOLDER = Path("benchmark/suites")
WRITTEN = FOLDER / "mine/written"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_tools.build_repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def choose(*domains: str, name: str = "mine") -> None:
    """What `make recipe NAME=mine FROM=specialist DOMAINS=…` does."""
    paths = (Path(word) for word in ("params.yaml", "data/catalogue", name, "specialist", *domains))
    new_recipe.main(*paths)
    yaml_edit.replace_value(Path("params.yaml"), ["recipe"], name)


def read_entry() -> dict[str, Any]:
    return yaml.safe_load(Path("params.yaml").read_text())["recipes"]["mine"]


def write_tasks() -> Path:
    WRITTEN.mkdir(parents=True)
    shutil.copy(own_tools.TASKS, WRITTEN)
    return WRITTEN


def test_the_recipe_is_asked_both_suites_and_released_by_them(folder):
    own_tools.write_domain(folder, "bikes")
    choose("bikes")
    own_suite.main(FOLDER, write_tasks())
    entry = read_entry()
    assert list(entry["build_requests"]["groups"]) == ["validation", "mine", "mine_drafted"]
    assert entry["shots"] == {"suite": "mine"}
    assert list_reported_suites() == ["mine", "mine_drafted"]
    drafted = suites.read(FOLDER / "mine_drafted")
    assert drafted.tools.keys() == {tool["name"] for tool in own_tools.BIKES["tools"]}
    kinds = Counter(task.kind for task in drafted.tasks)
    assert {"call", "multi", "chain", "missing_argument", "follow_up"} <= kinds.keys()
    assert min(kinds.values()) > 0


def test_a_number_of_groups_that_a_person_chose_stays(folder):
    own_tools.write_domain(folder, "bikes")
    choose("bikes")
    own_suite.main(FOLDER)
    keys = ["recipes", "mine", "build_requests", "groups"]
    yaml_edit.replace_value(Path("params.yaml"), keys, {"validation": None, "mine_drafted": 4})
    own_suite.main(FOLDER, write_tasks())
    groups = read_entry()["build_requests"]["groups"]
    assert groups == {"validation": None, "mine_drafted": 4, "mine": None}


def test_one_file_of_tasks_is_enough_where_no_tool_has_a_scenario(folder, capsys):
    tools = own_tools.strip_scenarios(own_tools.BIKES["tools"])
    own_tools.write_domain(folder, "bikes", tools=tools)
    examples = folder / "data/written/mine/people.jsonl"
    examples.parent.mkdir(parents=True)
    examples.write_text("")
    choose("bikes")
    with pytest.raises(BadInput, match="no freely worded tasks, and no scenarios to draft from"):
        own_suite.main(FOLDER)
    own_suite.main(FOLDER, own_tools.TASKS)
    assert "mine_drafted: not drafted: no tool has a scenario" in capsys.readouterr().out
    assert list_reported_suites() == ["mine"]


def test_two_tools_give_as_many_tasks_as_the_grammar_has(folder, capsys):
    own_tools.write_domain(folder, "bills", "get_bill", "get_bike")
    choose("bills")
    own_suite.main(FOLDER)
    drafted = suites.read(FOLDER / "mine_drafted")
    assert drafted.tools.keys() == {"get_bill", "get_bike"}
    kinds = Counter(task.kind for task in drafted.tasks)
    assert kinds["chain"] == 0
    assert "chain: 0 of 68 tasks: the held-out grammar has no more" in capsys.readouterr().out
    queries = [turn.text for task in drafted.tasks for turn in task.turns[-1:]]
    assert len(set(queries)) == len(queries)


def test_a_call_that_no_tool_takes_is_named_with_its_line(folder):
    own_tools.write_domain(folder, "bikes")
    choose("bikes")
    task = {"query": "Rent 7", "kind": "call", "decision": "call", "thought": "I should rent 7.",
            "calls": [{"name": "rent_bike", "arguments": {"bike": 7}}]}  # fmt: skip
    (folder / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    with pytest.raises(BadInput, match=r"tasks\.jsonl:1: calls: .*hours"):
        own_suite.main(FOLDER, Path("tasks.jsonl"))


def test_corrected_tasks_have_to_stay_where_they_are(folder):
    own_tools.write_domain(folder, "bikes")
    choose("bikes")
    tasks = write_tasks() / own_tools.TASKS.name
    own_suite.main(FOLDER, WRITTEN)
    first = suites.read(FOLDER / "mine").tasks[0]
    overlay = FOLDER / "mine/overlays/1.jsonl"
    overlay.parent.mkdir()
    jsonl.write(overlay, [Erratum(first.id, first.golds, "looked at again")])
    tasks.write_text("".join(tasks.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(BadInput, match=f"{overlay}:1: task: '{first.id}' is gone or another task"):
        own_suite.main(FOLDER, WRITTEN)


def test_a_recipe_of_ours_and_a_suite_of_others_are_left_alone(folder):
    for name in ("shop", "mine"):
        shutil.copytree(own_tools.ROOT / "benchmark/suites/shop", folder / FOLDER / name)
    with pytest.raises(BadInput, match="recipe: specialist is asked shop; choose a recipe of your"):
        own_suite.main(FOLDER)
    own_tools.write_domain(folder, "bikes")
    choose("bikes")
    with pytest.raises(BadInput, match="benchmark/suites/mine: already there, and no suite of rec"):
        own_suite.main(FOLDER, own_tools.TASKS)
