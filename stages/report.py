"""Make the report: one HTML page, its leaderboard as Markdown, and as CSV.

Reads what `score` wrote, the training log and the coverage of the plan.
"""

from pathlib import Path

from benchmark import leaderboard as board
from benchmark import metrics, report
from benchmark.metrics import Row, SweepRow
from benchmark.report import Results
from benchmark.scored import Scored
from trajectory import command, jsonl, tables
from trajectory.covered import Covered
from trajectory.trainlog import TrainStep


def main(
    house_metrics: Path,
    bfcl_metrics: Path,
    noise_metrics: Path,
    breakdown: Path,
    sweep: Path,
    scores: Path,
    train_log: Path,
    plan_coverage: Path,
    html: Path,
    markdown: Path,
    leaderboard: Path,
) -> None:
    results = Results(
        metrics={"house": metrics.read(house_metrics), "bfcl": metrics.read(bfcl_metrics)},
        noise=metrics.read(noise_metrics),
        breakdown=list(tables.read(breakdown, Row)),
        sweep=list(tables.read(sweep, SweepRow)),
        scores=list(jsonl.read(scores, Scored)),
        train_log=list(tables.read(train_log, TrainStep)),
        coverage=list(tables.read(plan_coverage, Covered)),
    )
    _write(html, report.html(results))
    _write(markdown, report.markdown(results))
    tables.write(leaderboard, board.Line, board.lines(results.breakdown))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    command.run(main)
