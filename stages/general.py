"""What was kept of general ability: metrics of both models; no model is run here.

reads   data/retention/{base,tuned}.jsonl  Item
writes  metrics/general.json               flat
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import Record
from agent_tuning.runtime import cli, config
from benchmark.scoring import retention
from benchmark.scoring.retention import RetentionItem


class GeneralConfig(Record, frozen=True):
    bootstrap: int
    seed: int


def main(base: Path, tuned: Path, target: Path) -> None:
    p = config.load("general", GeneralConfig)
    before, after = (list(jsonl.read(path, RetentionItem)) for path in (base, tuned))
    found = retention.compute_metrics(before, after, p.bootstrap, p.seed)
    metrics_file.write(target, found)
    print(f"{target}: accuracy {found['base.accuracy']:.3f} to {found['tuned.accuracy']:.3f}")


if __name__ == "__main__":
    cli.run(main)
