"""Measure the general ability of one model, with lm-eval's scoring of our own items.

reads   benchmark/suites/general/           tasks of lm-eval (YAML) and their items (JSONL)
        data/base/ or models/tuned/
        data/code_hashes/retention.json     the code that this stage runs
writes  data/retention/{base,tuned}.jsonl   RetentionItem
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from benchmark.scoring.lm_eval_retention import RetentionConfig, measure_retention


def main(suite: Path, model: Path, code: Path, items: Path) -> None:  # noqa: ARG001 - a dependency
    settings = config.load("retention", RetentionConfig)
    configure_threads(settings.threads)
    measured = measure_retention(suite, model, settings.batch_size)
    jsonl.write(items, measured)
    print(f"{items}: {len(measured)} items")


if __name__ == "__main__":
    cli.run(main)
