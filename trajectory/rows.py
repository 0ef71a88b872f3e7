"""Packs as a Trainer's dataset: every epoch in its own seeded order, one pack a micro-batch."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import torch
from torch.utils.data import Dataset

from trajectory.attention import PackLayout
from trajectory.packing import IGNORED, Span

Row = Mapping[str, Any]


class Rows(Dataset[Row]):
    """All epochs one after another: position in training alone says which pack comes."""

    def __init__(self, packs: datasets.Dataset, epochs: int, seed: int) -> None:
        self.packs = packs
        self.order: list[int] = []
        for epoch in range(epochs):
            order = list(range(len(packs)))
            random.Random(f"{seed}:{epoch}").shuffle(order)
            self.order += order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> Row:
        row: Row = self.packs[self.order[index]]
        return row


def collate(rows: Sequence[Row]) -> dict[str, object]:
    """One pack as the model's inputs.

    input_ids, position_ids: [1, tokens]. logits_to_keep: [supervised] positions whose next token
    is trained: only these are projected onto the vocabulary. labels: [1, 1 + supervised], weights:
    [supervised].
    """
    (row,) = rows
    layout = PackLayout([Span(prefix, tuple(branches)) for prefix, *branches in row["spans"]])
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
