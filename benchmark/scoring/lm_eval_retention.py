"""Measure a model's general ability with lm-eval's own scoring of our own items."""

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

from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.progress import Progress
from agent_tuning.runtime.ranges import AtLeastOne, Threads
from benchmark.scoring.retention import MEASURES, RetentionItem

Samples = dict[str, list[dict[str, Any]]]  # by task, as lm-eval logs them


class RetentionConfig(Record, frozen=True):
    batch_size: AtLeastOne
    threads: Threads


class ReportingLM(HFLM):  # type: ignore[misc] # lm-eval is not typed
    """lm-eval's model, which shows how many sequences it has scored."""

    progress: Progress | None = None

    def _loglikelihood_tokens(self, requests: Any, *arguments: Any, **named: Any) -> Any:
        self.progress = Progress("retention", len(requests))
        return super()._loglikelihood_tokens(requests, *arguments, **named)

    def _model_call(self, inps: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
        scores: torch.Tensor = super()._model_call(inps, *arguments, **named)
        if self.progress:
            self.progress.show(self.progress.done + len(inps))
        return scores


def measure_retention(suite: Path, model: Path, batch_size: int) -> list[RetentionItem]:
    """One item for every item of the suite, in the order of tasks and ids.

    `suite` holds tasks of lm-eval (YAML) and their items; `model` is a folder of transformers.
    """
    samples = run_lm_eval(suite, model, batch_size)
    items = (item for task in MEASURES for item in convert_samples(task, samples[task]))
    return sorted(items, key=lambda item: (item.task, item.id))


def run_lm_eval(suite: Path, model: Path, batch_size: int) -> Samples:
    """What lm-eval logs of every item.

    This calls `evaluate`, because `simple_evaluate` also records the machine that it ran on.
    """
    if not (model / "config.json").exists():
        raise BadInput(f"{model}: no model: expected a config.json")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with redirect_stderr(io.StringIO()):  # progress bars
        tasks = TaskManager(include_path=str(suite), include_defaults=False).load(list(MEASURES))
        loaded = ReportingLM(str(model), dtype="float32", device=device, batch_size=batch_size)
        results = evaluate(loaded, tasks, bootstrap_iters=0, log_samples=True)
    samples: Samples = results["samples"]
    return samples


def convert_samples(task: str, samples: list[dict[str, Any]]) -> Iterator[RetentionItem]:
    """The samples of one task as items."""
    for sample in samples:
        doc = sample["doc"]
        if task == "cloze":
            value, weight = float(sample["acc"]), 1
        else:
            nats, weight = sample["bits_per_byte"]  # lm-eval logs log-likelihood and bytes
            value = -nats / math.log(2)
        kind = doc.get("kind", doc["language"])
        yield RetentionItem(task, doc["id"], kind, doc["language"], round(value, 4), weight)
