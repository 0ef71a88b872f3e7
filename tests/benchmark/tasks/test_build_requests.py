"""The stage `build_requests`: which tasks of each suite are asked, as token ids."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl, yaml_records
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.instructions import Instructions
from agent_tuning.records import BadInput
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks import suites
from stages import build_requests

HOUSE = Path("benchmark/suites/house").absolute()
INSTRUCTIONS = Path("data/instructions.yaml").absolute()
TEXTS = yaml_records.read(INSTRUCTIONS, Instructions)


@pytest.fixture
def folder(lively: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HOUSE, "suites/house")
    write({"house": 2})
    return lively


def write(
    groups: dict[str, int | None],
    *,
    native: bool = False,
    instructions: dict[str, float] | None = None,
) -> None:
    section = {"groups": groups, "native": native, "instructions": instructions or {}}
    Path("params.yaml").write_bytes(msgspec.yaml.encode({"build_requests": section}))


def run(base: Path) -> set[str]:
    paths = (base, INSTRUCTIONS, "asked", "requests.jsonl", "requests.json", "none", "suites")
    build_requests.main(*map(Path, paths))
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


def test_a_suite_that_is_in_none_of_the_folders_is_named(folder: Path) -> None:
    write({"house": 2, "hous": 2})
    with pytest.raises(
        BadInput, match=r"^params\.yaml: build_requests\.groups: no suite hous in none, suites$"
    ):
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


def test_instructions_are_asked_in_texts_that_training_never_sees(folder: Path) -> None:
    write({"house": 2}, native=True)
    tasks = run(folder)
    without = suites.read(Path("asked/house"))
    write({"house": 2}, native=True, instructions={"house": 1})
    assert run(folder) == tasks
    part = suites.read(Path("asked/house"))
    chat = ChatTokenizer(folder / "tokenizer.json")
    for group in jsonl.read(Path("requests.jsonl"), QuestionGroup):
        spec = part.specs[group.group]
        assert spec.instructions in (TEXTS.evaluation["en"] if spec.language == "en" else [""])
        assert list(group.prefix) == chat.prefix(spec)
        plain = without.specs[group.group]
        assert (group.prefix == tuple(chat.prefix(plain))) == (not spec.instructions)
    assert any(spec.instructions for spec in part.specs.values())
    assert part.tasks == without.tasks


def test_a_suite_s_own_instructions_are_asked(folder: Path) -> None:
    write({"house": 2}, native=True, instructions={"house": 1})
    run(folder)
    shutil.rmtree("suites/house")
    shutil.copytree("asked/house", "suites/house")
    write({"house": 2})
    run(folder)
    assert suites.read(Path("asked/house")).prompts == suites.read(Path("suites/house")).prompts


@pytest.mark.parametrize(
    ("native", "instructions", "problem"),
    [
        (False, {"house": 0.5}, r"build_requests\.instructions: house: .*; set native: true$"),
        (True, {"shop": 0.5}, r"params\.yaml:\d+: build_requests: instructions: no suites: shop"),
        (True, {"house": 1.5}, r"params\.yaml:\d+: build_requests: .*<= 1.*instructions"),
    ],
    ids=["not native", "unknown", "no share"],
)
def test_a_share_that_cannot_be_asked_is_one_clear_line(
    folder: Path, native: bool, instructions: dict[str, float], problem: str
) -> None:
    write({"house": 2}, native=native, instructions=instructions)
    with pytest.raises(BadInput, match=problem) as error:
        run(folder)
    assert "\n" not in str(error.value)
