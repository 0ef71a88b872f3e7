"""Packs as a Trainer's dataset: every epoch in its own seeded order, one pack a micro-batch."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from torch.utils.data import Dataset

from agent_tuning.model.shared_prefix_attention import PackLayout
from agent_tuning.tokens.pack_file import read_spans
from agent_tuning.training import distributed

IGNORED = -100  # the label that transformers does not count
PackRow = Mapping[str, Any]  # a row of a pack file: ids, weights, spans


def load_packs(
    packs: Path,
    run: Path,
    epochs: int,
    seed: int,
    packs_per_step: int,
    steps: int | None = None,
) -> "PackDataset":
    """The packs of a file as this rank's dataset, with a cache in the folder of the run."""
    datasets.disable_progress_bars()
    rows = datasets.Dataset.from_parquet(str(packs), cache_dir=str(run / "packs"))
    return PackDataset(rows, epochs, seed, distributed.world_size(), packs_per_step, steps)


class PackDataset(Dataset[PackRow]):
    """All epochs, one after another: an index alone says which pack comes.

    If `steps` is given, there are as many epochs as that many optimiser steps of `batch` packs
    need, and the last one is cut. Otherwise there are `epochs`.

    Within an optimiser step of `batch` packs, packs are sorted by attention cost: ranks wait for
    each other, and packs that run at the same time then take equally long. Every rank gets equally
    many rows. If the number of rows does not divide by `ranks`, blank rows are added at the end;
    repeated packs, as accelerate would add, would count twice.
    """

    def __init__(
        self,
        packs: datasets.Dataset,
        epochs: int,
        seed: int,
        ranks: int = 1,
        batch: int = 1,
        steps: int | None = None,
    ) -> None:
        self.packs = packs
        self.order: list[int] = []
        rows = steps * batch if steps else epochs * len(packs)
        for epoch in range(-(-rows // len(packs))):
            order = list(range(len(packs)))
            random.Random(f"{seed}:{epoch}").shuffle(order)
            self.order += order
        del self.order[rows:]
        if batch > 1:
            self._sort_steps_by_cost(batch)
        self.blanks = -len(self.order) % ranks

    def __len__(self) -> int:
        return len(self.order) + self.blanks

    def __getitem__(self, index: int) -> PackRow:
        if index < len(self.order):
            row: PackRow = self.packs[self.order[index]]
            return row
        if index < len(self):
            return self._make_blank_row()
        raise IndexError(index)  # ends a loop over the dataset

    def _sort_steps_by_cost(self, batch: int) -> None:
        costs = [
            sum(span.attention_pairs for span in read_spans(row))
            for row in self.packs.select_columns("spans")
        ]
        starts = range(0, len(self.order), batch)
        steps = (sorted(self.order[s : s + batch], key=costs.__getitem__) for s in starts)
        self.order = [index for step in steps for index in step]

    def _make_blank_row(self) -> PackRow:
        """A pack without trained tokens: it adds nothing to loss, gradient and token count."""
        row = self.packs[self.order[0]]
        return {**row, "weights": [0.0] * len(row["weights"])}

    def step(self, number: int, batch: int) -> Iterator[PackRow]:
        """The packs of an optimiser step, over all ranks; the first step is 1."""
        for index in self.order[(number - 1) * batch : number * batch]:
            yield self.packs[index]


def collate(rows: Sequence[PackRow]) -> dict[str, object]:
    """Turn one pack into the model's inputs: the Trainer's data collator.

    input_ids, position_ids: [1, tokens]. logits_to_keep: [supervised], the positions whose next
    token is trained: only these are projected onto the vocabulary. weights: [supervised]. labels:
    [1, 1 + supervised], as transformers counts labels from the second one on.
    """
    (row,) = rows
    layout = PackLayout(read_spans(row))
    ids, weights = torch.tensor(row["ids"]), torch.tensor(row["weights"])
    trained = weights.nonzero()[:, 0]
    return {
        "input_ids": ids[None],
        "position_ids": layout.positions(),
        "layout": layout,
        # A branch's first token is never trained: the token before a trained one is in its branch.
        "logits_to_keep": trained - 1,
        "weights": weights[trained],
        "labels": torch.cat([torch.tensor([IGNORED]), ids[trained]])[None],
    }
