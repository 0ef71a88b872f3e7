"""The wordings outside the catalogue have every sentence in every language."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput

WORDINGS = Path("data/phrasing.yaml")


def read_changed(folder: Path, change: Callable[[Any], object]) -> Phrasing:
    wordings = yaml.safe_load(WORDINGS.read_text())
    change(wordings)
    path = folder / "phrasing.yaml"
    path.write_text(yaml.safe_dump(wordings))
    return yaml_records.read(path, Phrasing)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda wordings: wordings["finish"].pop("zh"), "finish: no text in the language zh"),
        (lambda wordings: wordings["openers"].pop("en"), "openers: no text in the language en"),
        (lambda wordings: wordings["off_topic"]["thought"].update(zh=""), "off_topic.thought: no "),
        (lambda wordings: wordings["not_requested"][1]["query"].pop("zh"), "requested.1.query: no"),
        (lambda wordings: wordings["not_requested"].clear(), "length >= 2 - at `$.not_requested`"),
        (lambda wordings: wordings["already_answered"].clear(), "2 - at `$.already_answered`"),
    ],
    ids=["sentence", "list", "empty", "in a list", "not requested", "already answered"],
)
def test_a_wording_that_is_missing_is_one_line(
    change: Callable[[Any], object], problem: str, tmp_path: Path
) -> None:
    """Or replies would have an empty thought, or a hard negative no words."""
    with pytest.raises(BadInput, match=re.escape(problem)) as error:
        read_changed(tmp_path, change)
    assert re.match(rf"{tmp_path}/phrasing\.yaml:\d+: ", str(error.value))


def test_prefaces_may_be_left_out(tmp_path: Path) -> None:
    assert read_changed(tmp_path, lambda wordings: wordings.pop("prefaces")).finish.zh
