"""The stage `prompts`: what is asked of each suite, and how much of it that is."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import BadInput
from benchmark.tasks import suites
from stages import prompts

HOUSE = Path("benchmark/suites/house").absolute()


@pytest.fixture
def folder(lively: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HOUSE, "house")
    write({"house": 2})
    return lively


def write(groups: dict[str, int | None]) -> None:
    text = msgspec.yaml.encode({"prompts": {"groups": groups}})
    Path("params.yaml").write_bytes(text)


def run(base: Path) -> set[str]:
    prompts.main(*map(Path, (base, "asked", "prompts.jsonl", "prompts.json", "house")))
    return {
        task for one in jsonl.read(Path("prompts.jsonl"), QuestionGroup) for task in one.questions
    }


def test_what_is_asked_is_a_suite_of_its_own_and_is_counted(folder: Path) -> None:
    asked = run(folder)
    part = suites.read(Path("asked/house"))
    assert {task.id for task in part.tasks} == asked
    assert len(asked) == 12
    assert json.loads(Path("prompts.json").read_text()) == {
        "house.asked": 12,
        "house.tasks": len(suites.read(HOUSE).tasks),
    }


def test_every_suite_needs_a_number_of_groups(folder: Path) -> None:
    write({"hous": 2})
    with pytest.raises(BadInput, match=r"^params\.yaml: prompts\.groups: .* each of house$"):
        run(folder)
