"""An error in a YAML file names file, line and field."""

import pytest

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
        (GOOD + "  seed: 2\n", r"p.yaml:5: seed: this key appears twice"),
        (GOOD.replace("1", "\x07"), r"p.yaml:2: special characters are not allowed"),
        (GOOD.replace("1", "\udcff"), r"p.yaml:2: expected UTF-8"),
    ],
    ids=[
        "misspelt",
        "misspelt inside a list",
        "wrong type",
        "broken YAML",
        "no section",
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
