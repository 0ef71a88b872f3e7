"""An error in a YAML file names file, line and field."""

import os
import time

import pytest
import yaml

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import config


class Inner(Record, frozen=True):
    rate: float


class Section(Record, frozen=True):
    seed: int
    inner: tuple[Inner, ...] = ()


GOOD = "stage:\n  seed: 1\n  inner:\n  - rate: 0.5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("seed", "seeed"), r"p.yaml:2: stage: .*unknown field `seeed`"),
        (GOOD.replace("rate", "rat"), r"p.yaml:4: stage: .*unknown field `rat`"),
        (GOOD.replace("0.5", "high"), r"p.yaml:4: stage: .*`float`.*rate"),
        (GOOD.replace("seed: 1", "seed: [1"), r"p.yaml:3: "),
        (GOOD.replace("stage", "state"), r"p.yaml: no section `stage`"),
        ("# seed: 1\n", r"p.yaml: the file is empty"),
        (GOOD + "  seed: 2\n", r"p.yaml:5: seed: this key appears twice"),
        (GOOD.replace("1", "\x07"), r"p.yaml:2: control characters are not allowed"),
        (GOOD.replace("1", "\udcff"), r"p.yaml:2: expected UTF-8"),
    ],
    ids=[
        "misspelt",
        "misspelt inside a list",
        "wrong type",
        "broken YAML",
        "no section",
        "nothing",
        "key twice",
        "control character",
        "not UTF-8",
    ],
)
def test_an_error_names_file_line_and_field(text, message, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(BadInput, match=message) as error:
        config.load("stage", Section, path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        yaml_records.read(tmp_path / "p.yaml", Section)


def test_a_section_is_a_typed_record(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    assert config.load("stage", Section, path) == Section(1, (Inner(0.5),))


def test_an_edit_that_keeps_size_and_time_of_the_file_is_read(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    time = path.stat().st_mtime_ns
    for seed in (1, 2):
        path.write_text(GOOD.replace("1", str(seed)))
        os.utime(path, ns=(time, time))
        assert config.load("stage", Section, path).seed == seed


def test_a_file_is_parsed_once_for_all_its_sections(tmp_path, monkeypatch):
    path = tmp_path / "p.yaml"
    path.write_text(RECIPES.replace("seed: 1", "seed: 7"))
    parsed = []
    compose = yaml.compose
    monkeypatch.setattr(yaml, "compose", lambda *a, **k: parsed.append(a) or compose(*a, **k))
    for _ in range(3):
        assert config.load("stage", Section, path).seed == 7
    assert len(parsed) == 1


def test_a_broken_file_is_an_error_every_time(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("stage: [")
    for _ in range(2):
        with pytest.raises(BadInput, match=r"p.yaml:\d: "):
            config.load("stage", Section, path)


RECIPES = """\
recipe: small
stage:
  seed: 1
  inner:
  - rate: 0.5
recipes:
  small:
    stage:
      inner: []
  large:
    stage: {}
"""


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [("small", Section(1)), ("large", Section(1, (Inner(0.5),)))],
)
def test_a_recipe_replaces_keys_of_a_section_as_a_whole(recipe, expected, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(RECIPES.replace("recipe: small", f"recipe: {recipe}"))
    assert config.load("stage", Section, path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECIPES.replace("recipe: small", "recipe: tiny"), r"p.yaml:1: recipe: tiny: available: "),
        (RECIPES.replace("inner: []", "inner: 3"), r"p.yaml:9: stage: .*`array`"),
        (RECIPES.replace("inner: []", "outer: 3"), r"p.yaml:9: stage: .*unknown field `outer`"),
    ],
    ids=["unknown recipe", "wrong type", "unknown key"],
)
def test_an_error_in_a_recipe_names_its_own_line(text, message, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        config.load("stage", Section, path)


def write_bomb() -> str:
    """Eight levels of ten aliases: 10^9 values when they are written out."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (write_bomb(), r"p.yaml:6: expected at most 200000 values, with aliases written out"),
        ("a: " + "[" * 20_000, r"p.yaml:1: expected at most 100 levels of nesting"),
        ("\n".join(" " * depth + "a:" for depth in range(500)), r"p.yaml:100: .* 100 levels"),
        ("a: &a [*a]", r"p.yaml:1: this alias stands inside of what it repeats"),
        ("a: 1\nb: !!python/object/apply:os.system [id]", r"p.yaml:2: could not determine"),
        ("a: 1\n? [a, b]\n: 1", r"p.yaml:2: expected a text as the key"),
        ("a: 1\nb: 2026-13-45", r"p.yaml:2: expected a value of type timestamp"),
        ("a: 1\nb: " + "9" * 6000, r"p.yaml:2: expected a value of type int"),
        ("a: 1\nb: .nan", r"p.yaml:2: expected a finite number, got nan"),
        ("a: 1\nb: [-.inf]", r"p.yaml:2: expected a finite number, got -inf"),
    ],
    ids=[
        "billion laughs",
        "deep brackets",
        "deep blocks",
        "alias of itself",
        "Python object",
        "list as a key",
        "no such day",
        "huge integer",
        "NaN",
        "infinity",
    ],
)
def test_what_would_hang_crash_or_poison_a_calculation_is_refused_at_once(text, message, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(BadInput, match=message):
        yaml_records.read(path, dict[str, object])
    assert time.process_time() - started < 2


def test_aliases_and_merge_keys_of_ordinary_size_are_read(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("a: &a {b: 1}\nc:\n  <<: *a\nd: *a")
    expected = {name: {"b": 1} for name in ("a", "c", "d")}
    assert yaml_records.read(path, dict[str, object]) == expected
