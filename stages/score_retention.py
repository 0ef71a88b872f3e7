"""Compute what tuning cost in general ability: metrics of both models. No model runs here.

reads   data/retention/{base,tuned}.jsonl  RetentionItem
writes  metrics/general.json               flat
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.runtime import cli, config
from benchmark.scoring.retention import GeneralConfig, RetentionItem, compute_metrics


def main(base: Path, tuned: Path, target: Path) -> None:
    settings = config.load("general", GeneralConfig)
    before, after = (list(jsonl.read(path, RetentionItem)) for path in (base, tuned))
    metrics = compute_metrics(before, after, settings.bootstrap, settings.seed)
    metrics_file.write(target, metrics)
    print(f"{target}: accuracy {metrics['base.accuracy']:.3f} to {metrics['tuned.accuracy']:.3f}")


if __name__ == "__main__":
    cli.run(main)
