"""The stage `build_requests`: which tasks of each suite are asked, as token ids."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import BadInput
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from stages import build_requests

HOUSE = Path("benchmark/suites/house").absolute()


@pytest.fixture
def folder(lively: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HOUSE, "house")
    write({"house": 2})
    return lively


def write(groups: dict[str, int | None], *, native: bool = False) -> None:
    text = msgspec.yaml.encode({"build_requests": {"groups": groups, "native": native}})
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
    with pytest.raises(BadInput, match=r"^params\.yaml: build_requests\.groups: .* each of house$"):
        run(folder)


def test_native_asks_the_same_tasks_under_the_models_own_template(folder: Path) -> None:
    tasks = run(folder)
    plain = suites.read(Path("asked/house"))
    write({"house": 2}, native=True)
    assert run(folder) == tasks
    native = suites.read(Path("asked/house"))
    assert native.tasks == plain.tasks
    assert native.tools == plain.tools
    assert all(spec.native for spec in native.specs.values())
    assert {id: spec.tools for id, spec in native.specs.items()} == {
        id: spec.tools for id, spec in plain.specs.items()
    }
    chat = ChatTokenizer(folder / "tokenizer.json")
    for group in jsonl.read(Path("requests.jsonl"), QuestionGroup):
        spec = native.specs[group.group]
        assert list(group.prefix) == chat.prefix(spec)
        assert list(group.prefix) != chat.prefix(plain.specs[group.group])
        for task in native.tasks:
            if task.id in group.questions:
                assert list(group.questions[task.id]) == chat.question(task.turns, spec)
