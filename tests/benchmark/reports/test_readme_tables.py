"""`make readme` writes the stages of dvc.yaml and the rows of the results that a reader needs."""

import pytest

from agent_tuning.records import BadInput
from benchmark.reports import readme_tables
from benchmark.reports.leaderboard import LeaderboardLine
from benchmark.reports.readme_tables import Described, Item, Pipeline, Stage


def line(suite: str, model: str, em: float = 0.25) -> LeaderboardLine:
    return LeaderboardLine(suite, model, 216, em, 0.2, 0.3, call_em=0.5, parse_error_rate=0.125)


def test_a_family_of_stages_is_one_row_that_names_its_items():
    items = {"small-base": Item("base"), "small-tuned": Item("tuned")}
    family = Stage(foreach=items, do=Described("Let the ${item.row} model act"))
    table = readme_tables.format_stages(Pipeline({"train": Stage("Tune"), "episodes": family}))
    assert table.splitlines()[2:] == [
        "| `train` | Tune |",
        "| `episodes` | Let the base or tuned model act |",
    ]


def test_the_results_are_the_shown_rows_in_their_order():
    board = [line("bfcl", "tuned"), line("house", "random"), line("house", "lexical"),
             line("house", "tuned"), line("nestful", "tuned")]  # fmt: skip
    rows = readme_tables.format_results(board).splitlines()[2:]
    assert rows == [
        "| house | tuned | 216 | **0.250** | 0.20 to 0.30 | 0.500 |  |  |  | 0.125 |",
        "|  | lexical | 216 | 0.250 | 0.20 to 0.30 | 0.500 |  |  |  | 0.125 |",
        "| BFCL-derived | tuned | 216 | **0.250** | 0.20 to 0.30 | 0.500 |  |  |  | 0.125 |",
    ]


def test_the_tuned_model_is_bold_only_where_no_row_of_its_suite_is_better():
    board = [line("house", "tuned"), line("house", "lexical", em=0.2),
             line("bfcl", "tuned"), line("bfcl", "random", em=0.3)]  # fmt: skip
    house, _, bfcl = readme_tables.format_results(board).splitlines()[2:]
    assert "| **0.250** |" in house
    assert "| 0.250 |" in bfcl


def test_a_table_takes_the_place_of_what_was_between_its_markers():
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    replaced = readme_tables.replace_between_markers(text, "x", "new\n")
    assert replaced == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"


def test_a_page_without_the_markers_is_named():
    with pytest.raises(BadInput, match=r"page\.md: expected the markers <!-- x -->"):
        readme_tables.replace_between_markers("no table", "x", "", "page.md")
