"""What models and servers said is shown in a comparison, and obeyed by no terminal or table."""

from benchmark.compare import comparison_report
from benchmark.compare.paired_tests import Comparison, Flip, MetricChange

CHANGE = MetricChange("a|b", "em", 3, 0.5, 0.25, -0.25, -0.5, 0.0, 0.04, 0.08)
FLIP = Flip(
    *("shop", "shop/1\x1b]0;t\x07", "call", (1, 0), (1, 0)),
    query="Chuck it\u202e in\x1b[2J the\r\ntrolley",
    gold="add_to_cart",
    answers=("Yes.\x1b[2J\n\tTwo lines.", "\x9b31m" + "x" * 1_000_000),
    reasons=("", "error: the server said \x1b]0;t\x07"),
)


def test_escapes_and_marks_of_direction_are_shown_and_a_cell_stays_a_cell() -> None:
    comparison = Comparison("HEAD\x07", "workspace", (CHANGE,), (FLIP,), (0, 0))
    text = comparison_report.format_markdown(comparison)
    assert text.replace("\n", "").replace("\t", "").isprintable()
    for shown in ("HEAD\\x07", "shop/1\\x1b]0;t\\x07", "\\u202e in\\x1b[2J the", "\\x9b31m"):
        assert shown in text
    assert "said \\x1b]0;t\\x07" in text
    header, ruler, row = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in (header, ruler, row)} == {11}
