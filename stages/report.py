"""Make the report: one HTML page, its leaderboard as Markdown, and as CSV.

Reads what `score`, `goals` and `general` wrote, the training log and the coverage of the plan.
"""

from pathlib import Path

from agent_tuning.files import csv_records, jsonl
from agent_tuning.runtime import cli
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.training.train_log import TrainStep
from benchmark.reports import report
from benchmark.reports.report import Results
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.scoring import metrics
from benchmark.scoring.metrics import BreakdownRow, SweepRow
from benchmark.scoring.signatures import read_signatures
from benchmark.scoring.task_score import ScoredAnswer


def main(
    house_metrics: Path,
    bfcl_metrics: Path,
    noise_metrics: Path,
    breakdown: Path,
    sweep: Path,
    scores: Path,
    train_log: Path,
    plan_coverage: Path,
    episode_metrics: Path,
    judged_episodes: Path,
    general_metrics: Path,
    html: Path,
    markdown: Path,
    leaderboard: Path,
) -> None:
    results = Results(
        metrics={"house": metrics.read(house_metrics), "bfcl": metrics.read(bfcl_metrics)},
        noise=metrics.read(noise_metrics),
        breakdown=list(csv_records.read(breakdown, BreakdownRow)),
        sweep=list(csv_records.read(sweep, SweepRow)),
        scores=list(jsonl.read(scores, ScoredAnswer)),
        train_log=list(csv_records.read(train_log, TrainStep)),
        coverage=list(csv_records.read(plan_coverage, CoverageRow)),
        episodes=metrics.read(episode_metrics),
        goals=list(jsonl.read(judged_episodes, EpisodeScore)),
        general=metrics.read(general_metrics),
        signatures=read_signatures(house_metrics.parent, ("house", "bfcl")),
    )
    report.write(results, html, markdown, leaderboard)


if __name__ == "__main__":
    cli.run(main)
