"""The conformance of servers as a table between markers in a page: `make conformance`.

With a model's folder, it writes that model's card as `make push` sends it: the folder's own, with
the rows of these very weights in a section at its end, if there are any.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from agent_tuning.files import atomic_write, csv_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from benchmark.model_folder import hash_model
from benchmark.reports.leaderboard import format_number
from benchmark.reports.readme_tables import replace_between_markers
from benchmark.serving.conformance import ConformanceRow

MARKER = "conformance"
TABLE = "conformance.csv"
SECTION = f"""
## Conformance

Decisions through a server, beside those of the benchmark's own decoder on the same tasks, greedy.

<!-- {MARKER} -->
<!-- /{MARKER} -->
"""
HEADER = (
    *("model", "engine", "version", "guided", "share equal", "equal", "near-ties", "calls"),
    *("later steps", "earlier thoughts", "streams equal", "em", "em in predict"),
)


def read_rows(metrics: Path) -> Iterator[tuple[str, ConformanceRow]]:
    """The name of each model that was measured, with its rows."""
    for path in sorted(metrics.glob(f"*/{TABLE}")):
        for row in csv_records.read(path, ConformanceRow):
            yield path.parent.name, row


def format_table(rows: Iterable[tuple[str, ConformanceRow]]) -> str:
    """Markdown, a line a server and model."""
    rule = (*("---",) * 4, *("---:",) * 5, "---", *("---:",) * 3)
    lines = [HEADER, rule, *(_format_row(name, row) for name, row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _format_row(name: str, row: ConformanceRow) -> tuple[str, ...]:
    return (
        *(name, row.engine, row.version, row.guided, f"{row.equal / row.requests:.3f}"),
        *(f"{row.equal} of {row.requests}", str(row.near_ties), str(row.calls)),
        *(str(row.later_steps), row.thoughts, f"{row.streamed_equal} of {row.streamed}"),
        *(format_number(row.em), f"{format_number(row.em_predict)} ({row.tasks} tasks)"),
    )


def main(metrics: Path, page: Path, *, model: Path | None = None) -> None:
    source = model / "README.md" if model else page
    if not source.is_file():
        expected = "; expected the folder of a model, such as models/specialist" if model else ""
        raise BadInput(f"{source}: no such page{expected}")
    text = source.read_text(encoding="utf-8")
    rows = list(read_rows(metrics))
    if model:
        weights = hash_model(model)
        rows = [(name, row) for name, row in rows if row.weights == weights]
        text = text.rstrip("\n") + "\n" + SECTION * bool(rows)
    if rows:
        text = replace_between_markers(text, MARKER, format_table(rows))
    atomic_write.write_text(page, text)


if __name__ == "__main__":
    cli.run(main)
