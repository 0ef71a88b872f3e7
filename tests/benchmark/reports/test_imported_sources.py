"""The card of a pushed model says what data of others went in, with its license."""

import json
import os
from pathlib import Path

import pytest
import yaml

from agent_tuning.records import BadInput
from benchmark.reports import imported_sources

SOURCES = [
    {"name": "ferries", "format": "openai", "source": "a/b", "splits": ["train"], "license": "MIT"},
    {"name": "boats", "format": "xlam", "source": "own/boats.json"},
    {"name": "none_kept", "format": "xlam", "source": "own/none.json", "license": "MIT"},
]
COUNTS = {
    **{"read_from_ferries": 1200, "kept_from_ferries": 1100, "rejected_from_ferries": 100},
    **{"read_from_boats": 9, "kept_from_boats": 9, "read_from_none_kept": 3},
}


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    params = {
        "recipe": "other",
        "models": {"7b": {"recipe": "large"}},
        "import_data": {"sources": [], "max_rejected": 0.2},
        "recipes": {"other": {}, "large": {"import_data": {"sources": SOURCES}}},
    }
    Path("params.yaml").write_text(yaml.safe_dump(params))
    table = Path("metrics/large/import_data.json")
    table.parent.mkdir(parents=True)
    table.write_text(json.dumps(COUNTS))
    path = Path("card.md")
    path.write_text("# A model\n")
    return path


@pytest.mark.parametrize("model", ["models/large", "models/7b/tuned"])
def test_the_card_lists_what_was_trained_on_with_its_license(card, model):
    os.link(card, "kept.md")
    imported_sources.main(Path("metrics"), card, model=Path(model))
    assert Path("kept.md").read_text() == "# A model\n"  # never half a card
    text = card.read_text()
    assert text.startswith("# A model\n\n## Data of others\n")
    assert "| ferries | `a/b train` | MIT | 1,200 | 1,100 |" in text
    assert "| boats | `own/boats.json` | not stated | 9 | 9 |" in text
    assert "none_kept" not in text


def test_a_model_that_is_a_link_keeps_its_table(card, tmp_path):
    elsewhere = tmp_path / "disk/a"
    elsewhere.mkdir(parents=True)
    Path("models").mkdir()
    Path("models/large").symlink_to(elsewhere)
    imported_sources.main(Path("metrics"), card, model=Path("models/large"))
    assert "| ferries |" in card.read_text()


@pytest.mark.parametrize("model", ["models/other", "models/unknown", "elsewhere"])
def test_a_model_without_imported_data_keeps_its_card(card, model):
    imported_sources.main(Path("metrics"), card, model=Path(model))
    assert card.read_text() == "# A model\n"


@pytest.mark.usefixtures("card")
def test_a_missing_card_is_one_line():
    with pytest.raises(BadInput, match=r"none\.md: no such card"):
        imported_sources.main(Path("metrics"), Path("none.md"), model=Path("models/7b"))
