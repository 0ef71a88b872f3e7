"""Score the answers of every model and baseline to every suite. No model runs here.

reads   data/asked/<suite>/          the suites that were asked
        data/answers/<model>.jsonl   Answer
writes  metrics/suites/<suite>.json  flat
        metrics/signatures.json      suite -> what two versions must share to be comparable
        data/scores.jsonl            ScoredAnswer, a line per suite, model and task
        data/breakdown.csv           BreakdownRow
        data/differences.csv         ModelDifference: tuned against every other row, paired
        data/sweep.csv               SweepRow: the score under several λ
"""

from itertools import chain
from pathlib import Path

from agent_tuning.files import csv_records, jsonl, metrics_file
from agent_tuning.runtime import cli, config
from benchmark.scoring import signatures
from benchmark.scoring.metrics import BreakdownRow, SweepRow
from benchmark.scoring.model_differences import ModelDifference
from benchmark.scoring.score_suites import ScoreConfig, score_suites


def main(
    suites: Path,
    answers: Path,
    metrics: Path,
    scores: Path,
    breakdown: Path,
    differences: Path,
    sweep: Path,
) -> None:
    results = score_suites(suites, answers, config.load("scoring", ScoreConfig))
    for result in results:
        metrics_file.write(metrics / "suites" / f"{result.suite}.json", result.metrics)
    signatures.write_signatures(
        metrics / signatures.FILE_NAME, {result.suite: result.signature for result in results}
    )
    jsonl.write(scores, chain.from_iterable(result.answers for result in results))
    rows = chain.from_iterable(result.breakdown for result in results)
    csv_records.write(breakdown, BreakdownRow, rows)
    tested = chain.from_iterable(result.differences for result in results)
    csv_records.write(differences, ModelDifference, tested)
    csv_records.write(sweep, SweepRow, chain.from_iterable(result.sweep for result in results))


if __name__ == "__main__":
    cli.run(main)
