"""Write the report of the last run: `make report`, which `make repro` ends with.

A page to decide by, one of all answers, and tables as Markdown and CSV. They show results and are
none, so they are no stage: the same results can be shown again, with ratings that came later or by
newer code, and dvc.lock stays as it is.

reads   data/RECIPE/      breakdown.csv (its suites are those of the report), differences.csv,
                          sweep.csv, train_log.csv, validation.csv, coverage.csv: tables;
                          scores.jsonl: ScoredAnswer; goals.jsonl: EpisodeScore;
                          asked/, requests.jsonl, answers/: of the suites that were asked
        metrics/RECIPE/   of every suite and stage; human.json, if people or a judge rated
        data/base/        where the base model comes from
writes  report/RECIPE/    index.html, answers.html, report.md, leaderboard.csv; and run.html: when,
                          where and out of what they were made
"""

from pathlib import Path

from agent_tuning.runtime import cli, config
from benchmark import missing_step
from benchmark.compare.gate import GateConfig
from benchmark.compare.paired_tests import CompareConfig
from benchmark.pages import answers, row_page
from benchmark.reports import report, run_record
from benchmark.reports.reported_suites import ReportConfig
from benchmark.reports.results import read_results
from benchmark.scoring.score_suites import ScoreConfig


def main(data: Path, metrics: Path, base: Path, folder: Path) -> None:
    missing_step.expect(data / "breakdown.csv", "scores", "make repro")
    results = read_results(
        data,
        metrics,
        base,
        config.load("report", ReportConfig).not_trained_for,
        config.load("gate", GateConfig),
        config.load("scoring", ScoreConfig),
        config.load("compare", CompareConfig),
    )
    report.write(results, folder / "index.html", folder / "report.md", folder / "leaderboard.csv")
    prompts = answers.read_prompts(data / "requests.jsonl", base / "tokenizer.json")
    pairs = answers.pair_models(results.scores)
    title = f"Answers: {data.name}"
    page = answers.build_page(title, ("base", "tuned"), pairs, results.asked, prompts)
    row_page.write(folder / "answers.html", page)
    run_record.write(folder / "run.html", int(results.counts["steps"]))


if __name__ == "__main__":
    cli.run(main)
