"""Ask one model what it could before tuning: lm-eval's own scoring of our own items.

reads   benchmark/suites/general/      tasks of lm-eval (YAML) and their items (JSONL)
        data/base/ or models/tuned/
        data/fingerprint/retention.json this code
writes  data/retention/{base,tuned}.jsonl  Item
"""

import io
import logging
import math
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch
from lm_eval import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from benchmark.scoring.retention import MEASURES, RetentionItem


class RetentionConfig(Record, frozen=True):
    batch: int
    threads: int


def convert_samples(task: str, samples: list[dict[str, Any]]) -> Iterator[RetentionItem]:
    """What lm-eval logged of a task, as Items."""
    for sample in samples:
        doc = sample["doc"]
        if task == "cloze":
            value, weight = float(sample["acc"]), 1
        else:
            nats, weight = sample["bits_per_byte"]
            value = -nats / math.log(2)
        kind = doc.get("kind", doc["language"])
        yield RetentionItem(task, doc["id"], kind, doc["language"], round(value, 4), weight)


def run_lm_eval(suite: Path, folder: Path, batch: int) -> dict[str, list[dict[str, Any]]]:
    """Samples by task, as lm-eval logs them.

    `evaluate` and not `simple_evaluate`, which would also write down the machine it ran on.
    """
    if not (folder / "config.json").exists():
        raise BadInput(f"{folder}: no model here")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with redirect_stderr(io.StringIO()):  # progress bars
        tasks = TaskManager(include_path=str(suite), include_defaults=False).load(list(MEASURES))
        model = HFLM(str(folder), dtype="float32", device=device, batch_size=batch)
        found = evaluate(model, tasks, bootstrap_iters=0, log_samples=True)
    samples: dict[str, list[dict[str, Any]]] = found["samples"]
    return samples


def main(suite: Path, folder: Path, fingerprint: Path, target: Path) -> None:  # noqa: ARG001 - a dependency
    p = config.load("retention", RetentionConfig)
    configure_threads(p.threads)
    samples = run_lm_eval(suite, folder, p.batch)
    found = {
        (one.task, one.id): one for task in MEASURES for one in convert_samples(task, samples[task])
    }
    jsonl.write(target, [found[key] for key in sorted(found)])
    print(f"{target}: {len(found)} items")


if __name__ == "__main__":
    cli.run(main)
