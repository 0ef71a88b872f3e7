"""Compute what tuning cost in general ability: metrics of both models. No model runs here.

reads   data/retention/{base,tuned}.jsonl  RetentionItem
writes  metrics/general.json               flat
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.runtime import cli, config
from benchmark.scoring.retention import GeneralConfig, RetentionItem, compute_metrics


def main(base: Path, tuned: Path, metrics: Path) -> None:
    settings = config.load("score_retention", GeneralConfig)
    before, after = (list(jsonl.read(path, RetentionItem)) for path in (base, tuned))
    results = compute_metrics(before, after, settings.bootstrap, settings.seed)
    metrics_file.write(metrics, results)
    accuracy = {model: results[f"{model}.accuracy"] for model in ("base", "tuned")}
    print(f"{metrics}: accuracy {accuracy['base']:.3f} of base, {accuracy['tuned']:.3f} of tuned")


if __name__ == "__main__":
    cli.run(main)
