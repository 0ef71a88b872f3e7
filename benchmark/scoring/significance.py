"""Which differences may be chance: intervals resample whole groups, pairs are tested exactly."""

from collections.abc import Sequence
from math import comb
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def draw_resamples(groups: int, times: int, seed: int) -> Floats:
    """How often each group is drawn in each resample; shape (times, groups)."""
    draws = np.random.default_rng(seed).integers(groups, size=(times, groups))
    weights = np.zeros((times, groups))
    np.add.at(weights, (np.arange(times)[:, None], draws), 1)
    return weights


def percentile_interval(values: Floats) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of the values that are not NaN; 0 and 0 if all are."""
    known = values[~np.isnan(values)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (0.0, 0.0)
    return float(low), float(high)


def mean_interval(
    values: Sequence[float], groups: Sequence[str], times: int, seed: int
) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of `values`; whole groups are resampled."""
    sums, counts = _sum_by_group(values, groups)
    weights = draw_resamples(len(sums), times, seed)
    return percentile_interval((weights @ sums) / (weights @ counts))


class PairedTest(NamedTuple):
    """The same tasks answered twice; `low` to `high` holds the mean of b − a with 95 %."""

    n: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float


def test_pairs(
    pairs: Sequence[tuple[str, float, float]], resamples: int, seed: int, *, right_or_wrong: bool
) -> PairedTest:
    """`pairs`: the group of each task, and its value (0-1) in a and in b; there is at least one.

    Values of 0 and 1 are tested by McNemar, others by flipping the signs of groups.
    """
    groups = [group for group, _, _ in pairs]
    moved = [after - before for _, before, after in pairs]
    if right_or_wrong:
        p = mcnemar(moved.count(-1), moved.count(1))
    else:
        p = sign_flip(moved, groups, resamples, seed)
    return PairedTest(
        len(pairs),
        fmean(before for _, before, _ in pairs),
        fmean(after for _, _, after in pairs),
        fmean(moved),
        *mean_interval(moved, groups, resamples, seed),
        p,
    )


def mcnemar(lost: int, won: int) -> float:
    """Exact two-sided p of McNemar's test, from the numbers of pairs that got worse and better."""
    tail = sum(comb(lost + won, fewer) for fewer in range(min(lost, won) + 1))
    return min(1.0, float(2 * tail / 2 ** (lost + won)))


def sign_flip(values: Sequence[float], groups: Sequence[str], times: int, seed: int) -> float:
    """Two-sided p of the mean of `values` being 0; the signs of whole groups flip at random."""
    sums, _ = _sum_by_group(values, groups)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(times, len(sums)))
    # sums of the same numbers in another order differ in the last digits
    as_far = np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9
    return float((1 + as_far.sum()) / (1 + times))


def apply_holm(ps: Sequence[float]) -> list[float]:
    """The p of each test after Holm's correction for their number, in the same order."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    corrected, most = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, ps[place] * (len(ps) - rank)))
        corrected[place] = most
    return corrected


def _sum_by_group(values: Sequence[float], groups: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each group, in order of the groups' names."""
    _, place = np.unique(np.array(groups), return_inverse=True)
    return np.bincount(place, weights=values).astype(float), np.bincount(place).astype(float)
