"""The table of conformance stands in a page, and in the card of a model that is pushed."""

import os
from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import csv_records
from agent_tuning.records import BadInput
from benchmark.model_folder import hash_model
from benchmark.reports import conformance_table
from benchmark.serving.conformance import ConformanceRow

ROW = ConformanceRow(
    "vllm", "0.9", "no", 200, 120, 40, "kept", 200, 199, 1, 5, 5, 60, 0.5, 0.45, "0123"
)
LINE = "| mine | vllm | 0.9 | no | 0.995 | 199 of 200 | 1 | 120 | 40 | kept | 5 of 5 | 0.500 | 0.45"
MARKERS = "<!-- conformance -->\n<!-- /conformance -->\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text("# A page\n")
    return path


def measure(folder: Path, row: ConformanceRow, *names: str) -> Path:
    for name in names:
        csv_records.write(folder / f"metrics/{name}/conformance.csv", ConformanceRow, [row])
    return folder / "metrics"


def test_a_page_has_a_line_for_every_model_and_server(page, tmp_path):
    metrics = measure(tmp_path, ROW, "mine", "other")
    page.write_text(f"# A page\n{MARKERS}The end.\n")
    os.link(page, kept := tmp_path / "kept.md")
    conformance_table.main(metrics, page)
    written = page.read_text()
    assert kept.read_text() == f"# A page\n{MARKERS}The end.\n"  # never half a page
    assert LINE in written
    assert LINE.replace("mine", "other") in written
    assert written.endswith("<!-- /conformance -->\nThe end.\n")
    conformance_table.main(metrics, page)
    assert page.read_text() == written


def test_a_card_gets_the_rows_of_its_own_weights_alone(page, tmp_path):
    (tmp_path / "model.safetensors").write_text("weights")
    metrics = measure(tmp_path, ROW, "mine")
    card = tmp_path / "scratch/card.md"
    conformance_table.main(metrics, card, model=tmp_path)
    assert card.read_text() == "# A page\n"
    measure(tmp_path, msgspec.structs.replace(ROW, weights=hash_model(tmp_path)), "mine")
    conformance_table.main(metrics, card, model=tmp_path)
    assert card.read_text().startswith("# A page\n\n## Conformance\n")
    assert LINE in card.read_text()
    assert page.read_text() == "# A page\n"


def test_a_card_has_no_row_that_was_measured_under_another_template(page, tmp_path):
    (tmp_path / "model.safetensors").write_text("weights")
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    row = msgspec.structs.replace(ROW, weights=hash_model(tmp_path))
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}{{ tools }}")
    card = tmp_path / "scratch/card.md"
    conformance_table.main(measure(tmp_path, row, "mine"), card, model=tmp_path)
    assert card.read_text() == page.read_text()


def test_a_missing_page_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="no such page"):
        conformance_table.main(tmp_path, tmp_path / "none.md")
    with pytest.raises(BadInput, match=r"models/none/README.md: .*expected the folder of a model"):
        conformance_table.main(tmp_path, tmp_path / "card.md", model=Path("models/none"))


def test_the_page_has_the_last_measured_rows():
    rows = list(conformance_table.read_rows(Path("metrics")))
    if rows:
        assert conformance_table.format_table(rows) in Path("docs/serving.md").read_text()
