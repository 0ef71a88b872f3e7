"""Write the report: one HTML page, and its leaderboard as Markdown and as CSV.

reads   metrics/                 <suite>.json, signatures.json, rerun_variance.json,
                                 episodes.json, general.json
        data/breakdown.csv       BreakdownRow; its suites are those of the report
        data/sweep.csv           SweepRow
        data/scores.jsonl        ScoredAnswer
        data/train_log.csv       TrainStep
        data/coverage.csv        CoverageRow
        data/goals.jsonl         EpisodeScore
writes  report/index.html, report/report.md, report/leaderboard.csv
"""

from pathlib import Path

from agent_tuning.files import csv_records, jsonl
from agent_tuning.runtime import cli
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.training.train_log import TrainStep
from benchmark.reports import report
from benchmark.reports.report import Results
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.scoring.metrics import BreakdownRow, SweepRow, read
from benchmark.scoring.signatures import read_signatures
from benchmark.scoring.task_score import ScoredAnswer


def main(
    metrics: Path,
    breakdown: Path,
    sweep: Path,
    scores: Path,
    train_log: Path,
    coverage: Path,
    goals: Path,
    html: Path,
    markdown: Path,
    leaderboard: Path,
) -> None:
    rows = list(csv_records.read(breakdown, BreakdownRow))
    suites = list(dict.fromkeys(row.suite for row in rows))
    results = Results(
        metrics={suite: read(metrics / f"{suite}.json") for suite in suites},
        signatures=read_signatures(metrics, suites),
        noise=read(metrics / "rerun_variance.json"),
        breakdown=rows,
        sweep=list(csv_records.read(sweep, SweepRow)),
        scores=list(jsonl.read(scores, ScoredAnswer)),
        train_log=list(csv_records.read(train_log, TrainStep)),
        coverage=list(csv_records.read(coverage, CoverageRow)),
        episodes=read(metrics / "episodes.json"),
        goals=list(jsonl.read(goals, EpisodeScore)),
        general=read(metrics / "general.json"),
    )
    report.write(results, html, markdown, leaderboard)


if __name__ == "__main__":
    cli.run(main)
