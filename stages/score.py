"""Score the answers of the models and of every baseline; no model is run here.

reads   data/answers/{base,base_two_shot,tuned}.jsonl  Answer
        data/asked/{house,bfcl,nestful}/               the suites that were asked
writes  metrics/{house,bfcl,nestful}.json              flat
        data/scores.jsonl                              ScoredAnswer, a line per model and task
        data/breakdown.csv                             BreakdownRow
        data/sweep.csv                                 SweepRow: the score under several λ
"""

from itertools import chain
from pathlib import Path

from agent_tuning.files import csv_records, jsonl
from agent_tuning.runtime import cli, config
from benchmark.scoring.metrics import BreakdownRow, SweepRow
from benchmark.scoring.score_suites import ScoreConfig, score_files
from benchmark.scoring.signatures import write_signed_metrics


def main(
    base_answers: Path,
    two_shot_answers: Path,
    tuned_answers: Path,
    house_suite: Path,
    bfcl_suite: Path,
    house_metrics: Path,
    bfcl_metrics: Path,
    scores: Path,
    breakdown: Path,
    sweep: Path,
    *further: Path,
) -> None:
    """`further` are suites beside these two, each with its metrics file after it."""
    folders = (house_suite, bfcl_suite, *further[::2])
    targets = (house_metrics, bfcl_metrics, *further[1::2])
    answers = (base_answers, two_shot_answers, tuned_answers)
    scored_suites = score_files(folders, answers, config.load("score", ScoreConfig))
    jsonl.write(scores, chain.from_iterable(suite.answers for suite in scored_suites))
    for suite, path in zip(scored_suites, targets, strict=True):
        write_signed_metrics(path, suite.metrics, suite.signature)
    rows = chain.from_iterable(suite.breakdown for suite in scored_suites)
    csv_records.write(breakdown, BreakdownRow, rows)
    csv_records.write(sweep, SweepRow, chain.from_iterable(s.sweep for s in scored_suites))


if __name__ == "__main__":
    cli.run(main)
