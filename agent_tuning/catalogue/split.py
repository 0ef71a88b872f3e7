"""Which part of a list training gets, and which part only the benchmark."""

from collections.abc import Sequence
from typing import Literal, TypeVar

T = TypeVar("T")
Split = Literal["train", "held_out"]


def take_split(values: Sequence[T], split: Split, held_out: int) -> Sequence[T]:
    """The training entries of a list, or its last `held_out` entries."""
    return values[-held_out:] if split == "held_out" else values[:-held_out]
