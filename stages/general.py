"""What was kept of general ability: metrics of both models; no model is run here.

reads   data/retention/{base,tuned}.jsonl  Item
writes  metrics/general.json               flat
"""

from pathlib import Path

from benchmark import retention
from benchmark.retention import Item
from trajectory import command, jsonl, metricfile, params
from trajectory.records import Record


class Params(Record, frozen=True):
    bootstrap: int
    seed: int


def main(base: Path, tuned: Path, target: Path) -> None:
    p = params.load("general", Params)
    before, after = (list(jsonl.read(path, Item)) for path in (base, tuned))
    found = retention.metrics(before, after, p.bootstrap, p.seed)
    metricfile.write(target, found)
    print(f"{target}: accuracy {found['base.accuracy']:.3f} to {found['tuned.accuracy']:.3f}")


if __name__ == "__main__":
    command.run(main)
