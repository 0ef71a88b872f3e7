"""A page of rows is one file, and nothing that somebody wrote is more than text in it."""

import json
import re
from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from benchmark.pages import browse, row_page
from benchmark.pages.row_page import Page, Row, SharedTexts, Text
from tests.support.report_data import HOSTILE


def page_of(*rows: Row) -> Page:
    return Page(HOSTILE, HOSTILE, "rows", ("kind",), (), (HOSTILE,), rows)


def row_of(text: str) -> Row:
    return Row(text, text, {"kind": (text,)}, (Text("query", text),))


def read_data(html: str) -> dict[str, object]:
    """The element of the data, as a browser finds it: it ends at the first end tag."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script', html, re.S)
    data: dict[str, object] = json.loads(found)
    return data


def test_hostile_text_is_data_and_never_markup() -> None:
    html = row_page.render(page_of(row_of(HOSTILE)))
    assert len(re.findall("<script", html)) == 2  # the data, and the page's own
    assert "<img" not in html
    assert "<!--" not in html
    (row,) = read_data(html)["rows"]  # type: ignore[misc]
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    assert row["id"] == row["title"] == row["parts"][0]["text"] == shown


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched() -> None:
    html = row_page.render(Page("Answers", "All of them.", "rows", (), (), (), ()))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', html)
    script = re.findall(r"<script>(.*?)</script>", html, re.S)[0]
    assert "default-src &#39;none&#39;" in policy
    assert row_page._hash(script) in policy
    assert "unsafe" not in policy
    assert not re.search(r"\b(src|href)=|url\(|@import|https?:", html.replace(policy, ""))
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert sink not in script


def test_long_texts_that_rows_share_are_stored_once() -> None:
    texts = SharedTexts()
    assert [texts.add(text) for text in ("a", "b", "a")] == [0, 1, 0]
    assert texts.all == ("a", "b")


def test_the_same_rows_give_the_same_page() -> None:
    page = page_of(row_of("a"), row_of("b"))
    assert row_page.render(page) == row_page.render(page)


def test_a_number_of_examples_below_zero_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="EXAMPLES=-1: expected a number of examples, 0 or more"):
        browse.main(tmp_path, tmp_path, tmp_path / "browse.html", examples=-1)
