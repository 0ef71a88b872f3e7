"""The leaderboard: every model and baseline in one table, from the breakdown's CSV file."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent_tuning.files import csv_records
from agent_tuning.records import Record
from agent_tuning.runtime import cli
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.metrics import BreakdownRow

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

    @property
    def cells(self) -> tuple[str, ...]:
        """As printed under HEADER."""
        scores = (self.em_macro, self.call_em, self.no_call_em, self.ask_em, self.call_exact_match)
        rest = (*scores, self.text, self.score, self.parse_error_rate)
        start = (self.suite, self.model, str(self.n), format_number(self.em))
        return (*start, format_interval(self), format_half_width(self), *map(format_number, rest))


def build_lines(rows: Iterable[BreakdownRow]) -> list[LeaderboardLine]:
    """One line per suite and model, in the order of the breakdown."""
    parts: dict[tuple[str, str], dict[tuple[str, str], BreakdownRow]] = {}
    for row in rows:
        parts.setdefault((row.suite, row.model), {})[row.slice, row.value] = row
    return [_build_line(slices) for slices in parts.values()]


def format_table(board: Sequence[LeaderboardLine]) -> str:
    """For a terminal: names to the left, numbers to the right, a blank line between suites."""
    rows = [HEADER, *(line.cells for line in board)]
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
    return "".join(f"| {' | '.join(row)} |\n" for row in (HEADER, ruler, *rows))


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


def _build_line(slices: Mapping[tuple[str, str], BreakdownRow]) -> LeaderboardLine:
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
    )


def main(breakdown: Path) -> None:
    print(format_table(build_lines(csv_records.read(breakdown, BreakdownRow))), end="")


if __name__ == "__main__":
    cli.run(main)
