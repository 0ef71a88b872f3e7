"""What the Makefile does by itself: choose a recipe, and hand over what the user sets as text."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
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
    shutil.copytree(general_params.ROOT / "environment", tmp_path / "environment")
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
    assert "expected one of: general general_large specialist" in done.stderr
    assert (folder / "params.yaml").read_bytes() == before


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("recipe: general  # of the three", "data/general"),
        ('recipe: "general"', "data/general"),
        ("recipe: 'general'\r", "data/general"),
        ("recipe: generl", "recipe: generl: expected one of general general_large specialist."),
        ("recipe:", "recipe: none: expected one of general general_large specialist."),
        ("", "recipe: none: expected one of general general_large specialist."),
    ],
)
def test_the_recipe_is_read_as_yaml_reads_it_or_nothing_starts(
    folder: Path, line: str, data: str
) -> None:
    params = folder / "params.yaml"
    text = params.read_text()
    for end in ("\n", "\r\n"):
        params.write_text(text.replace("recipe: specialist", line).replace("\n", end))
        for target in ("report", "repro"):
            command = ["make", "--dry-run", "--old-file=.venv/ready", target]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert data in done.stdout + done.stderr
            assert (done.returncode == 0) == data.startswith("data/")
            assert len((done.stdout + done.stderr).splitlines()) == 1 or done.returncode == 0
        chosen = choose(folder, "NAME=specialist")
        assert (chosen.returncode == 0) == bool(line), chosen.stderr
        assert ("recipe: specialist\n" in params.read_text()) == bool(line)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text(""), make_folder])
def test_without_recipes_there_is_one_line(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder / "params.yaml")
    command = ["make", "--old-file=.venv/ready", "show"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert "params.yaml: expected a file with the section `recipes`" in line


def test_paths_follow_the_recipe(folder: Path) -> None:
    for name in RECIPES:
        choose(folder, f"NAME={name}")
        command = ["make", "--dry-run", "--old-file=.venv/ready", "compare"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert f" data/{name}/answers data/{name}/requests.jsonl metrics/{name} " in done.stdout


TARGETS = re.findall(
    r"^([a-z][a-z-]*):", (general_params.ROOT / "Makefile").read_text(), re.MULTILINE
)
GIVEN = ("SIZE", "SHARDS", "PYTHON", "A", "B", "SUITE", "TO", "ID", "NAME", "DOMAINS", "VERSION")
HOSTILE = [
    "x; touch pwned",
    "`touch pwned`",
    "$(touch pwned)",
    "$$(touch pwned)",
    "$(shell touch pwned)",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "x | touch pwned",
    "x && touch pwned #",
    "x\n\ttouch pwned",
    "general\ne touch pwned",
    "specialist/;e touch pwned;s/a",
    "> pwned",
    "${x:-$(touch pwned)}",
]


@pytest.fixture
def programs(folder: Path) -> Path:
    """Each program that a recipe starts, as a script that prints its arguments, one in brackets."""
    names = ("python", "dvc", "ruff", "mypy", "shellcheck", "pip")
    scripts = ("slurm/launch/train", "slurm/shards/synthesize", *(f".venv/bin/{n}" for n in names))
    for script in (*scripts, ".venv/lock/bin/pip"):
        path = folder / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\nfor argument; do printf '[%s]' \"$argument\"; done; echo\n")
        path.chmod(0o755)
    return folder


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--keep-going", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shift", range(0, len(HOSTILE), 2))
def test_no_variable_of_any_target_reaches_a_shell_as_code(programs: Path, shift: int) -> None:
    values = [*HOSTILE[shift:], *HOSTILE[:shift]]
    given = [f"{name}={value}" for name, value in zip(GIVEN, values, strict=False)]
    assert len(TARGETS) > 25
    make(programs, "--old-file=.venv/ready", *TARGETS, *given)
    make(programs, ".venv/ready", *given)
    assert not (programs / "pwned").exists()
    assert "pwned" not in (programs / "params.yaml").read_text()


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("show", "ID=a b;c", "[a b;c]"),
        ("show", "ID=", "[data/base]\n"),
        ("suite-check", "SUITE=my suite", "[my suite]"),
        ("compare", "A=v1:base $(x)", "[v1:base $(x)][workspace]"),
        ("wordings", "DOMAINS=shop  cart", "[data/written/mine][shop][cart]\n"),
        ("wordings", "DOMAINS=*", "[data/written/mine][*]\n"),
        ("wordings", "TO=my folder", "[my folder]\n"),
        ("rate", "VERSION=base tuned", "/answers/base.jsonl][data/specialist/answers/tuned.jsonl]"),
        ("rate", "VERSION=", "human.json]\n"),
        ("judge", "DRY=1", "human.json][--dry-run]\n"),
        ("train", "SIZE=7b; x", "[7b; x]\n"),
        ("review", "OF=benchmark/candidates/", "[benchmark/candidates/reviews.jsonl]"),
        ("review", "OF=./benchmark/candidates", "[benchmark/candidates/reviews.jsonl]"),
        ("review", "OF=benchmark/suites/shop/", "[benchmark/suites/shop][benchmark/reviews/shop/"),
        ("merge", "OF=benchmark/candidates/", "review.merge][benchmark/suites/house]"),
        ("merge", "OF=my $(x) suite", "[my $(x) suite]"),
    ],
)
def test_what_the_user_sets_arrives_as_it_was_written(
    programs: Path, target: str, given: str, expected: str
) -> None:
    assert expected in make(programs, "--old-file=.venv/ready", target, given).stdout


SAY_GIVEN = "include Makefile\nsay-given:\n\t@env | grep -E '^($(subst $() ,|,$(GIVEN)))='\n"


def test_what_a_system_exports_for_itself_sets_nothing(folder: Path) -> None:
    """HOST of conda's compilers, NAME of WSL, PORT of a platform: only the command line counts."""
    (folder / "given.mk").write_text(SAY_GIVEN)

    def read_given(*words: str, **environment: str) -> dict[str, str]:
        command = ["make", "-f", "given.mk", "say-given", *words]
        return dict(
            line.split("=", 1)
            for line in subprocess.check_output(
                command, cwd=folder, env={"PATH": os.environ["PATH"]} | environment, text=True
            ).splitlines()
        )

    alone = read_given()
    assert {"HOST", "NAME", "PORT", "VERSION", "MODEL", "SEND", "PUBLIC", "FROM"} <= alone.keys()
    assert alone["HOST"] == "127.0.0.1"
    documented = {"THREADS": "8", "PYTHON": "python3.12"}
    exported = dict.fromkeys(alone, "x86_64-conda-linux-gnu") | documented
    assert read_given(**exported) == alone | documented
    assert read_given("HOST=0.0.0.0", "NAME=mine", **exported) == alone | documented | {
        "HOST": "0.0.0.0",
        "NAME": "mine",
    }


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("bfcl", "[500m-tuned][benchmark/official_bfcl/slice.json]"),
        ("bfcl", "[metrics/official_bfcl/500m-tuned.json]"),
        ("conformance", "[metrics/500m-tuned/conformance.csv]"),
    ],
)
def test_what_is_measured_of_a_size_has_a_name_of_its_own(
    programs: Path, target: str, expected: str
) -> None:
    python = programs / ".venv/bin/python"
    prints = python.read_text().replace("#!/bin/sh\n", "")
    real = f"PYTHONPATH={general_params.ROOT} exec {sys.executable}"
    asks = f'[ "$2" != benchmark.model_folder ] || {real} "$@"\n'
    python.write_text(f"#!/bin/sh\n{asks}{prints}")
    (programs / ".venv-bfcl/bin").mkdir(parents=True)
    shutil.copy(python, programs / ".venv-bfcl/bin/python")
    words = ("--old-file=.venv/ready", "--old-file=.venv-bfcl/ready", "MODEL=models/500m/tuned")
    (programs / ".venv-bfcl/ready").touch()
    assert expected in make(programs, *words, target).stdout


def test_a_recipe_in_params_yaml_is_no_code_either(programs: Path) -> None:
    params = programs / "params.yaml"
    params.write_text(params.read_text().replace("recipe: specialist", "recipe: x; touch pwned"))
    make(programs, "--old-file=.venv/ready", *TARGETS, "PYTHON=python")
    assert not (programs / "pwned").exists()


def test_dvcs_private_folder_is_closed_to_other_users_whatever_the_umask(programs: Path) -> None:
    """It holds pickles, and DVC makes it open to everybody."""
    before = os.umask(0)
    make(programs, "--old-file=.venv/ready", "repro")
    os.umask(before)
    assert stat.S_IMODE((programs / ".dvc/tmp/site").stat().st_mode) == 0o700


def test_dvc_does_not_start_where_its_private_folder_cannot_be_made(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(programs / "Makefile/site"))
    done = make(programs, "--old-file=.venv/ready", "repro")
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    assert line.startswith("install: cannot create directory")
