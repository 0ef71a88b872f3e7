"""Validation while training: loss and right decisions on packs that training never sees.

Every so many steps the model reads the validation packs once, with the right tokens before each
position, and generates nothing. That costs little, and shows when more steps stop helping. What the
model answers by itself is measured after training, on the suite `validation`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import torch
from pyarrow import parquet
from torch.nn.functional import cross_entropy
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from agent_tuning.files import csv_records, jsonl
from agent_tuning.records import Record
from agent_tuning.runtime.ranges import Count
from agent_tuning.training.dataset import collate


class ValidationConfig(Record, frozen=True):
    """`every` is in optimizer steps; 0 validates never. Nor do runs of several processes."""

    every: Count


class ValidationRow(Record, frozen=True):
    """The model after `step` steps.

    `validation_loss`: mean weighted cross-entropy of a trained token. `validation_exact`: share of
    decisions (0-1) of which every token is the most likely one, after the right tokens before it.
    """

    step: int
    validation_loss: float
    validation_exact: float


class Validator(TrainerCallback):  # type: ignore[misc] # transformers is not typed
    """Measures after every `config.every` steps and after the last one.

    Rows are kept in the folder of the run: a resumed run has those of its earlier part.
    """

    def __init__(self, packs: Path, table: Path, config: ValidationConfig, run: Path) -> None:
        self.table = table
        self.packs = read_packs(packs, run / "validation_packs")
        self.config = config
        self.file = run / "validation.jsonl"
        kept = jsonl.read(self.file, ValidationRow) if self.file.exists() else ()
        self.rows = {row.step: row for row in kept}

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        model: PreTrainedModel | None = None,
        **_: object,
    ) -> None:
        step, every = state.global_step, self.config.every
        due = every and (step % every == 0 or step == state.max_steps)
        if due and len(self.packs) and args.world_size == 1 and model is not None:
            self.rows[step] = measure(model, self.packs, step)
            jsonl.write(self.file, list(self.rows.values()))

    def write(self, last_step: int) -> None:
        """Write the rows of a run of so many steps as the table."""
        steps = (step for step in sorted(self.rows) if step <= last_step)
        csv_records.write(self.table, ValidationRow, [self.rows[step] for step in steps])


def read_packs(packs: Path, cache: Path) -> datasets.Dataset:
    """The packs of a file, which may have none: `datasets` refuses to read that."""
    if not parquet.read_metadata(packs).num_rows:
        return datasets.Dataset.from_dict({})
    return datasets.Dataset.from_parquet(str(packs), cache_dir=str(cache))


@torch.no_grad()
def measure(model: PreTrainedModel, packs: datasets.Dataset, step: int) -> ValidationRow:
    """The row of a model in training; it goes on in the mode that it was in."""
    training = model.training
    model.eval()
    loss, weight, exact, decisions = 0.0, 0.0, 0, 0
    for pack in packs:
        batch: dict[str, Any] = collate([pack])
        targets, weights = batch.pop("labels")[0, 1:], batch.pop("weights")
        logits = predict(model, batch)
        losses = cross_entropy(logits.float(), targets.to(logits.device), reduction="none").cpu()
        loss += float((losses * weights).sum())
        weight += float(weights.sum())
        right = logits.argmax(-1).cpu() == targets
        # A decision is a run of positions without a gap: text that is not trained lies between two.
        starts = batch["logits_to_keep"].diff(prepend=torch.tensor([-2])) != 1
        of_decision = starts.cumsum(0) - 1
        wrong = torch.zeros(int(starts.sum()), dtype=torch.long).index_add(
            0, of_decision, (~right).long()
        )
        exact += int((wrong == 0).sum())
        decisions += len(wrong)
    model.train(training)
    return ValidationRow(step, loss / weight, exact / decisions)


def predict(model: PreTrainedModel, batch: Mapping[str, Any]) -> torch.Tensor:
    """Logits [supervised, words] of a collated pack."""
    device = model.device
    inputs = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }
    logits: torch.Tensor = model(**inputs).logits[0]
    return logits
