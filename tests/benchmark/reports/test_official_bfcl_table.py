"""The table of official BFCL scores: it never mixes questions; the page has the last ones."""

import os
from pathlib import Path

import msgspec
import pytest

from agent_tuning.records import BadInput
from benchmark.official_bfcl.official_score import (
    TITLE,
    CategoryScore,
    OfficialScore,
    hash_ids,
    read_scores,
    write_score,
)
from benchmark.reports import official_bfcl_table

PAGE = Path("docs/bfcl.md")


def score(right: int, ids: list[str], slice: str = "slice.json") -> OfficialScore:
    category = CategoryScore(right, len(ids), 0, hash_ids(ids))
    return OfficialScore(TITLE, "bfcl-eval 1", "m", "0", slice, 0.0, 9, {"simple": category})


def test_models_that_were_asked_the_same_stand_in_one_table_with_the_base_first() -> None:
    rights = {"a": 1, "general": 0, "base": 2}
    scores = {name: score(right, ["x", "y"]) for name, right in rights.items()}
    assert official_bfcl_table.format_tables(scores) == (
        "BFCL (official), bfcl-eval 1, slice `slice.json`, temperature 0, at most 9 tokens; "
        "share right:\n\n"
        "| category | questions | base | general | a |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| simple | 2 | 1.000 | 0.000 | 0.500 |\n"
    )


def test_a_slice_and_all_questions_are_two_tables() -> None:
    scores = {"base": score(1, ["x"]), "general": score(1, ["x", "y"], "all")}
    assert official_bfcl_table.format_tables(scores).count(TITLE) == 2


@pytest.mark.parametrize("changed", [{"max_tokens": 512}, {"temperature": 0.5}])
def test_other_decoding_is_another_table(changed: dict[str, float]) -> None:
    other = msgspec.structs.replace(score(1, ["x"]), **changed)
    tables = official_bfcl_table.format_tables({"base": score(1, ["x"]), "general": other})
    assert tables.count(TITLE) == 2
    ((name, value),) = changed.items()
    shown = {"max_tokens": f"at most {value} tokens", "temperature": f"temperature {value}"}
    assert shown[name] in tables


def test_scores_of_different_questions_never_share_a_row() -> None:
    scores = {"base": score(1, ["x", "y"]), "general": score(1, ["x", "z"])}
    with pytest.raises(BadInput, match="simple: base, general were asked different questions"):
        official_bfcl_table.format_tables(scores)


def test_a_score_file_is_read_back_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    write_score(tmp_path / "base.json", score(1, ["x"]))
    assert read_scores(tmp_path) == {"base": score(1, ["x"])}
    os.link(tmp_path / "base.json", kept := tmp_path / "kept")
    write_score(tmp_path / "base.json", score(0, ["x"]))
    assert kept.read_bytes() != (tmp_path / "base.json").read_bytes()  # never half a file
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(BadInput, match=r"bad\.json: "):
        read_scores(tmp_path)


def test_a_page_is_never_written_by_halves(tmp_path: Path) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept.md"
    page.write_text("<!-- official-bfcl -->\n<!-- /official-bfcl -->\n")
    os.link(page, kept)
    write_score(tmp_path / "scores/base.json", score(1, ["x"]))
    official_bfcl_table.main(tmp_path / "scores", page)
    assert "| simple | 1 | 1.000 |" in page.read_text()
    assert "simple" not in kept.read_text()


def test_the_page_has_the_numbers_of_the_last_run() -> None:
    before = PAGE.read_text()
    table = official_bfcl_table.format_tables(read_scores(Path("metrics/official_bfcl")))
    assert official_bfcl_table.replace_between_markers(before, "official-bfcl", table) == before
