"""What the Makefile does by itself: choose a recipe."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from agent_tuning.runtime import config
from agent_tuning.synthesis.mixing import MixConfig
from tests.support import general_params

RECIPES = general_params.read()["recipes"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "params.yaml"):
        shutil.copy(general_params.ROOT / name, tmp_path)
    return tmp_path


def choose(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "recipe", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", RECIPES)
def test_make_recipe_writes_the_choice_and_changes_nothing_else(folder: Path, name: str) -> None:
    before = (folder / "params.yaml").read_text()
    done = choose(folder, f"NAME={name}")
    assert done.returncode == 0, done.stderr
    after = (folder / "params.yaml").read_text()
    assert yaml.safe_load(after) == yaml.safe_load(before) | {"recipe": name}
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    assert all(old == new or new == f"recipe: {name}" for old, new in pairs)
    mix = config.load("mix", MixConfig, folder / "params.yaml")
    assert mix == config.load("mix", MixConfig, folder / "params.yaml", name)


# `model` is a key at the same depth, of another section.
@pytest.mark.parametrize("words", [["NAME=small"], ["NAME=model"], ["NAME="], []])
def test_make_recipe_refuses_what_is_no_recipe(folder: Path, words: list[str]) -> None:
    before = (folder / "params.yaml").read_bytes()
    done = choose(folder, *words)
    assert done.returncode != 0
    assert "expected specialist or general" in done.stderr
    assert (folder / "params.yaml").read_bytes() == before


def test_paths_follow_the_recipe(folder: Path) -> None:
    for name in RECIPES:
        choose(folder, f"NAME={name}")
        command = ["make", "--dry-run", "--old-file=.venv/ready", "compare"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert f" data/{name}/answers data/{name}/requests.jsonl metrics/{name} " in done.stdout
