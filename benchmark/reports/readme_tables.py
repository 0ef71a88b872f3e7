"""The tables of README.md and docs/architecture.md: `make readme`.

Written between markers, so that the pages say what the pipeline file and the last benchmark say.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from agent_tuning.files import atomic_write, csv_records, yaml_records
from agent_tuning.files.markdown_table import format_row
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli
from benchmark import missing_step
from benchmark.reports import leaderboard
from benchmark.reports.leaderboard import LeaderboardLine, format_interval, format_number
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.metrics import BreakdownRow

# The rows that a first reader needs, in this order; the report has all of them. A recipe has some.
SHOWN = {
    "shop": ("base", "base_two_shot", "tuned", "lexical", "always_none"),
    "shop_drafted": ("base", "tuned", "lexical"),
    "house": ("base_two_shot", "tuned", "lexical", "always_none"),
    "bfcl": ("tuned", "lexical"),
}
HEADER = (
    *("suite", "model", "tasks", "em", "95 % interval"),
    *("call", "no call", "ask", "call exact", "parse errors"),
)


class Described(Record, frozen=True, forbid_unknown_fields=False):
    desc: str = ""


class Item(Record, frozen=True, forbid_unknown_fields=False):
    """What a stage of `foreach` is filled in with; `row` is a row of the results table."""

    row: str


class Stage(Described, frozen=True, forbid_unknown_fields=False):
    """A stage, or under `do` one that runs for every item of `foreach`."""

    foreach: dict[str, Item] = {}
    do: Described | None = None

    @property
    def description(self) -> str:
        if self.do is None:
            return self.desc
        *rest, last = (item.row for item in self.foreach.values())
        rows = f"{', '.join(rest)} or {last}" if rest else last
        return self.do.desc.replace("${item.row}", rows)


class Pipeline(Record, frozen=True, forbid_unknown_fields=False):
    stages: dict[str, Stage]


def format_stages(pipeline: Pipeline) -> str:
    rows = ((f"`{name}`", stage.description) for name, stage in pipeline.stages.items())
    return format_rows([("stage", "what it does"), ("---", "---"), *rows])


def format_results(board: Sequence[LeaderboardLine]) -> str:
    """The rows of SHOWN that the board has. A suite is named once.

    The `em` of `tuned` is bold where no row of its suite is better, shown or not.
    """
    lines = {(line.suite, line.model): line for line in board}
    best = {
        suite: max((line.em for line in board if line.suite == suite), default=0.0)
        for suite in SHOWN
    }
    rows: list[Sequence[str]] = [HEADER, ("---", "---", *("---:" for _ in HEADER[2:]))]
    for suite, models in SHOWN.items():
        title = suite_title(suite)
        for line in (lines[suite, model] for model in models if (suite, model) in lines):
            rows.append((title, *_format_cells(line, best[suite])))
            title = ""
    return format_rows(rows)


def replace_between_markers(text: str, marker: str, content: str, page: str = "README.md") -> str:
    """`text` with `content` between its two markers."""
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    if not pattern.search(text):
        raise BadInput(f"{page}: expected the markers <!-- {marker} --> and <!-- /{marker} -->")
    return pattern.sub(lambda match: match.group(1) + content + match.group(2), text)


def _format_cells(line: LeaderboardLine, best: float) -> tuple[str, ...]:
    is_bold = line.model == "tuned" and line.em >= best
    em = f"**{format_number(line.em)}**" if is_bold else format_number(line.em)
    decisions = (line.call_em, line.no_call_em, line.ask_em)
    rates = (*decisions, line.call_exact_match, line.parse_error_rate)
    return (line.name, str(line.n), em, format_interval(line), *map(format_number, rates))


def format_rows(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of a Markdown table; the second is the rule."""
    return "".join(map(format_row, rows))


def _rewrite(page: Path, marker: str, content: str) -> None:
    text = page.read_text(encoding="utf-8")
    atomic_write.write_text(page, replace_between_markers(text, marker, content, str(page)))


def main(readme: Path, architecture: Path, pipeline: Path, breakdown: Path, suites: Path) -> None:
    missing_step.expect(breakdown, "scores", "make repro")
    stages = format_stages(yaml_records.read(pipeline, Pipeline))
    unanswered = leaderboard.read_unanswered(suites)
    board = leaderboard.build_lines(csv_records.read(breakdown, BreakdownRow), unanswered)
    _rewrite(architecture, "stages", stages)
    _rewrite(readme, "results", format_results(board))


if __name__ == "__main__":
    cli.run(main)
