"""Packs as a Trainer's dataset: every epoch in its own seeded order, one pack a micro-batch."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import torch
from torch.utils.data import Dataset

from agent_tuning.model.shared_prefix_attention import PackLayout
from agent_tuning.tokens.packing import IGNORED, Span

PackRow = Mapping[str, Any]


class PackDataset(Dataset[PackRow]):
    """All epochs one after another: position in training alone says which pack comes.

    Within an optimiser step of `batch` packs the order is by attention cost: ranks wait for each
    other, and those that work at the same time then have as much to do. Ranks take equally many
    rows; if the packs do not divide by them, blank ones fill up at the end. Repeated packs,
    accelerate's way, would count twice.
    """

    def __init__(
        self, packs: datasets.Dataset, epochs: int, seed: int, ranks: int = 1, batch: int = 1
    ) -> None:
        self.packs = packs
        self.order: list[int] = []
        for epoch in range(epochs):
            order = list(range(len(packs)))
            random.Random(f"{seed}:{epoch}").shuffle(order)
            self.order += order
        if batch > 1:
            self._balance(batch)
        self.blanks = -len(self.order) % ranks

    def __len__(self) -> int:
        return len(self.order) + self.blanks

    def __getitem__(self, index: int) -> PackRow:
        if index < len(self.order):
            row: PackRow = self.packs[self.order[index]]
            return row
        if index < len(self):
            return self._blank()
        raise IndexError(index)  # how a loop over the rows knows that it is done

    def _balance(self, batch: int) -> None:
        costs = [
            sum(span.attention_pairs for span in read_spans(row))
            for row in self.packs.select_columns("spans")
        ]
        starts = range(0, len(self.order), batch)
        steps = (sorted(self.order[s : s + batch], key=costs.__getitem__) for s in starts)
        self.order = [index for step in steps for index in step]

    def _blank(self) -> PackRow:
        """A pack of which no token is trained: it adds nothing to loss, gradient and count."""
        row = self.packs[self.order[0]]
        return {**row, "labels": [IGNORED] * len(row["labels"])}

    def step(self, number: int, batch: int) -> Iterator[PackRow]:
        """The packs of an optimiser step, over all ranks; the first step is 1."""
        for index in self.order[(number - 1) * batch : number * batch]:
            yield self.packs[index]


def read_spans(row: PackRow) -> list[Span]:
    return [Span(prefix, tuple(branches)) for prefix, *branches in row["spans"]]


def collate(rows: Sequence[PackRow]) -> dict[str, object]:
    """One pack as the model's inputs.

    input_ids, position_ids: [1, tokens]. logits_to_keep: [supervised] positions whose next token
    is trained: only these are projected onto the vocabulary. labels: [1, 1 + supervised], weights:
    [supervised].
    """
    (row,) = rows
    layout = PackLayout(read_spans(row))
    labels = torch.tensor(row["labels"])
    trained = (labels != IGNORED).nonzero()[:, 0]
    return {
        "input_ids": torch.tensor(row["ids"])[None],
        "position_ids": layout.positions(),
        "layout": layout,
        "logits_to_keep": trained - 1,  # a branch opens with an untrained token: never its prefix
        "weights": torch.tensor(row["weights"])[trained],
        "labels": torch.cat([torch.tensor([IGNORED]), labels[trained]])[None],
    }
