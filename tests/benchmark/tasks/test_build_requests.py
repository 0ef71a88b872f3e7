"""The stage `prompts`: which tasks of each suite are asked, as token ids."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import BadInput
from benchmark.tasks import suites
from stages import build_requests

HOUSE = Path("benchmark/suites/house").absolute()


@pytest.fixture
def folder(lively: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HOUSE, "house")
    write({"house": 2})
    return lively


def write(groups: dict[str, int | None]) -> None:
    text = msgspec.yaml.encode({"build_requests": {"groups": groups}})
    Path("params.yaml").write_bytes(text)


def run(base: Path) -> set[str]:
    build_requests.main(*map(Path, (base, "asked", "requests.jsonl", "requests.json", "house")))
    return {
        task
        for group in jsonl.read(Path("requests.jsonl"), QuestionGroup)
        for task in group.questions
    }


def test_the_asked_tasks_are_a_suite_of_their_own_and_are_counted(folder: Path) -> None:
    tasks = run(folder)
    part = suites.read(Path("asked/house"))
    assert {task.id for task in part.tasks} == tasks
    assert len(tasks) == 12
    assert json.loads(Path("requests.json").read_text()) == {
        "house.asked": 12,
        "house.tasks": len(suites.read(HOUSE).tasks),
    }


def test_every_suite_needs_a_number_of_groups(folder: Path) -> None:
    write({"hous": 2})
    with pytest.raises(BadInput, match=r"^params\.yaml: prompts\.groups: .* each of house$"):
        run(folder)
