"""One value or one entry of a YAML file changes, and no other byte."""

from pathlib import Path

import pytest
import yaml

from agent_tuning.files import yaml_edit
from agent_tuning.records import BadInput

TEXT = """\
# what it is about
top: {a: 1, b: [2, 3]}  # a remark
deep:
  er:  # here
    groups: {one: null, two: 5}
    name: 'ours'
last:
  first: {}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "it.yaml").write_text(TEXT)
    return tmp_path / "it.yaml"


@pytest.mark.parametrize(
    ("keys", "value", "before", "after"),
    [
        (["top", "a"], 7, "{a: 1, b", "{a: 7, b"),
        (["deep", "er", "groups"], {"x": None}, "{one: null, two: 5}", "{x: null}"),
        (["deep", "er", "name"], "mine", "'ours'", "mine"),
        (["deep", "er", "name"], "no", "'ours'", "'no'"),
    ],
)
def test_a_value_is_replaced_where_it_stands(path, keys, value, before, after):
    yaml_edit.replace_value(path, keys, value)
    assert path.read_text() == TEXT.replace(before, after)


@pytest.mark.parametrize("keys", [["deep", "er"], ["deep", "there"]])
def test_a_value_on_lines_of_its_own_or_none_is_left_to_the_person(path, keys):
    with pytest.raises(
        BadInput, match=rf"it\.yaml: deep\.{keys[1]}: write `{keys[1]}: {{}}` there"
    ):
        yaml_edit.replace_value(path, keys, {})
    assert path.read_text() == TEXT


def test_an_entry_goes_to_the_end_of_the_last_section(path):
    entry = {"plan": {"groups": {"en": 1}}, "train": {}}
    yaml_edit.append_entry(path, "last", "second", entry)
    assert path.read_text().startswith(TEXT)
    assert yaml.safe_load(path.read_text())["last"] == {"first": {}, "second": entry}
    with pytest.raises(BadInput, match="deep: expected this section at the end of the file"):
        yaml_edit.append_entry(path, "deep", "second", entry)
