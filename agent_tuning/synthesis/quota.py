"""Shares of a whole, as whole numbers."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def allocate_quota(shares: Mapping[T, float], total: int) -> dict[T, int]:
    """Split `total` in proportion to `shares`; the counts add up to exactly `total`.

    Each count is rounded down first. The largest remainders then get one more.
    """
    scale = total / sum(shares.values())
    exact = {key: share * scale for key, share in shares.items()}
    counts = {key: int(value) for key, value in exact.items()}
    left = total - sum(counts.values())
    for key in sorted(exact, key=lambda key: counts[key] - exact[key])[:left]:
        counts[key] += 1
    return counts
