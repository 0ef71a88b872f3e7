"""The leaderboard: every model and baseline in one table, from the breakdown's CSV file.

`python -m benchmark.reports.leaderboard BREAKDOWN [SUITES]` prints it; SUITES is the folder of the
suites' metrics, which know of tasks without an answer. A model that has some is marked `partial`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent_tuning.files import csv_records
from agent_tuning.files.markdown_table import format_row
from agent_tuning.records import Record
from agent_tuning.runtime import cli
from agent_tuning.runtime.visible_text import show_controls
from benchmark import missing_step
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.metrics import BreakdownRow
from benchmark.scoring.metrics import read as read_metrics

HEADER = (
    *("suite", "model", "n", "em", "95 % interval", "±", "macro"),
    *("call", "no call", "ask", "call exact", "text", "score", "parse errors"),
)


class LeaderboardLine(Record, frozen=True):
    """One model on one suite; None where a suite has no such tasks."""

    suite: str
    model: str
    n: int
    em: float
    low: float
    high: float
    em_macro: float | None = None
    call_em: float | None = None
    no_call_em: float | None = None
    ask_em: float | None = None
    call_exact_match: float | None = None
    text: float | None = None
    score: float | None = None
    parse_error_rate: float | None = None
    unanswered: int = 0  # tasks that have no answer, and count as wrong

    @property
    def name(self) -> str:
        """The model, marked if its numbers are those of a part."""
        answered = self.n - self.unanswered
        partial = f" (partial: {answered} of {self.n})"
        return self.model + partial if self.unanswered else self.model

    @property
    def cells(self) -> tuple[str, ...]:
        """As printed under HEADER."""
        scores = (self.em_macro, self.call_em, self.no_call_em, self.ask_em, self.call_exact_match)
        rest = (*scores, self.text, self.score, self.parse_error_rate)
        start = (self.suite, self.name, str(self.n), format_number(self.em))
        return (*start, format_interval(self), format_half_width(self), *map(format_number, rest))


def build_lines(
    rows: Iterable[BreakdownRow], unanswered: Mapping[tuple[str, str], int] | None = None
) -> list[LeaderboardLine]:
    """One line per suite and model, in the order of the breakdown."""
    parts: dict[tuple[str, str], dict[tuple[str, str], BreakdownRow]] = {}
    for row in rows:
        parts.setdefault((row.suite, row.model), {})[row.slice, row.value] = row
    missing = unanswered or {}
    return [_build_line(slices, missing.get(key, 0)) for key, slices in parts.items()]


def count_unanswered(values: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], int]:
    """Tasks without an answer by suite and model, from the metrics of every suite."""
    return {
        (suite, name.removesuffix(".error")): round(share * metrics[name[:-5] + "n"])
        for suite, metrics in values.items()
        for name, share in metrics.items()
        if name.endswith(".error") and name.count(".") == 1
    }


def format_table(board: Sequence[LeaderboardLine]) -> str:
    """For a terminal: names to the left, numbers to the right, a blank line between suites."""
    rows = [HEADER, *(tuple(map(show_controls, line.cells)) for line in board)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    printed, suite = [], ""
    for row in rows:
        if row[0] != suite:
            suite = row[0]
            printed.append("")
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        printed.append("  ".join(left + right).rstrip())
    return "\n".join(printed[1:]) + "\n"


def format_markdown(board: Sequence[LeaderboardLine]) -> str:
    ruler = ["---", "---", *("---:" for _ in HEADER[2:])]
    rows = ((suite_title(line.suite), *line.cells[1:]) for line in board)
    return "".join(map(format_row, (HEADER, ruler, *rows)))


def format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


class Interval(Protocol):
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def format_interval(row: Interval) -> str:
    return f"{row.low:.2f} to {row.high:.2f}".replace("-", "−")


def format_half_width(row: LeaderboardLine | BreakdownRow) -> str:
    return f"{(row.high - row.low) / 2:.2f}"


def read_unanswered(suites: Path) -> dict[tuple[str, str], int]:
    """The same of a folder with the metrics of every suite."""
    return count_unanswered(
        {path.stem: read_metrics(path) for path in sorted(suites.glob("*.json"))}
    )


def _build_line(slices: Mapping[tuple[str, str], BreakdownRow], unanswered: int) -> LeaderboardLine:
    whole = slices["all", "all"]
    wanted = {value: row.em for (name, value), row in slices.items() if name == "wanted"}
    both = [wanted[name] for name in ("call", "no_call") if name in wanted]
    return LeaderboardLine(
        suite=whole.suite,
        model=whole.model,
        n=whole.n,
        em=whole.em,
        low=whole.low,
        high=whole.high,
        em_macro=sum(both) / len(both) if both else None,
        call_em=wanted.get("call"),
        no_call_em=wanted.get("no_call"),
        ask_em=wanted.get("ask"),
        call_exact_match=whole.call_exact_match,
        text=whole.text,
        score=whole.score,
        parse_error_rate=whole.parse_error_rate,
        unanswered=unanswered,
    )


def main(breakdown: Path, suites: Path | None = None) -> None:
    missing_step.expect(breakdown, "scores", "make repro")
    unanswered = read_unanswered(suites) if suites else {}
    lines = build_lines(csv_records.read(breakdown, BreakdownRow), unanswered)
    print(format_table(lines), end="")


if __name__ == "__main__":
    cli.run(main)
