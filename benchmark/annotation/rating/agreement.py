"""How well people agree.

Scores are a matrix: a row for each person, a column for each answer, NaN where a person gave none.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import krippendorff
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
SCORES = (0, 1, 2, 3, 4, 5)
DISAGREEMENT = 2  # scores at least this far apart are a disagreement


class Interval(NamedTuple):
    low: float
    high: float


def build_matrix(scores: Mapping[str, Mapping[str, int]], people: Sequence[str]) -> Matrix:
    """`scores` maps answer -> person -> score. Columns are in the order of the answers."""
    rows = [[by_person.get(who, np.nan) for by_person in scores.values()] for who in people]
    return np.array(rows, dtype=np.float64).reshape(len(people), len(scores))


def alpha(scores: Matrix) -> float | None:
    """Krippendorff's alpha for ordered scores; None if no scores can be compared."""
    paired = scores[:, (~np.isnan(scores)).sum(axis=0) > 1]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return None
    return float(
        krippendorff.alpha(
            reliability_data=paired, level_of_measurement="ordinal", value_domain=SCORES
        )
    )


def kappa(first: Matrix, second: Matrix, power: int = 0) -> float | None:
    """Cohen's kappa of two rows; None if it is undefined.

    `power` 0 gives every difference the same weight, 2 the square of the difference.
    """
    both = ~np.isnan(first) & ~np.isnan(second)
    if not both.any():
        return None
    table = np.zeros((len(SCORES), len(SCORES)))
    np.add.at(table, (first[both].astype(int), second[both].astype(int)), 1)
    distance = np.abs(np.subtract.outer(SCORES, SCORES)).astype(np.float64)
    weights = (distance > 0).astype(np.float64) if power == 0 else distance**power
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    expected = float((weights * by_chance).sum())
    return 1 - float((weights * table).sum()) / expected if expected else None


def mean_kappa(scores: Matrix, power: int = 0) -> float | None:
    """The mean kappa of all pairs of people who rated answers in common."""
    kappas = [kappa(first, second, power) for first, second in combinations(scores, 2)]
    known = [value for value in kappas if value is not None]
    return sum(known) / len(known) if known else None


def alpha_interval(scores: Matrix, resamples: int, seed: int) -> Interval | None:
    """The 95 % interval from resampled answers; None if over half of them have no alpha."""
    rng = np.random.default_rng(seed)
    count = scores.shape[1]
    drawn = (alpha(scores[:, rng.integers(0, count, count)]) for _ in range(resamples))
    known = [value for value in drawn if value is not None]
    if 2 * len(known) < resamples or not known:
        return None
    return Interval(*map(float, np.percentile(known, [2.5, 97.5])))


def mean_interval(values: Sequence[float], resamples: int, seed: int) -> Interval:
    """The 95 % interval of a mean, from resampled values."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.asarray(values, dtype=np.float64), (resamples, len(values)))
    return Interval(*map(float, np.percentile(drawn.mean(axis=1), [2.5, 97.5])))


def biases(scores: Matrix) -> list[float | None]:
    """How far each person scores above the others, on average over answers in common."""
    return [_compute_bias(scores, row) for row in range(len(scores))]


def _compute_bias(scores: Matrix, row: int) -> float | None:
    others = np.delete(scores, row, axis=0)
    shared = ~np.isnan(scores[row]) & (~np.isnan(others)).any(axis=0)
    if not shared.any():
        return None
    return float((scores[row, shared] - np.nanmean(others[:, shared], axis=0)).mean())


def find_disagreements(scores: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Answers with scores far apart or a veto that not all share, the widest spread first."""
    spreads = {
        answer: max(by_person.values()) - min(by_person.values())
        for answer, by_person in scores.items()
    }
    vetoed = {answer for answer, by_person in scores.items() if 0 in by_person.values()}
    disagreements = (
        answer
        for answer, spread in spreads.items()
        if spread >= DISAGREEMENT or (spread and answer in vetoed)
    )
    return sorted(disagreements, key=lambda answer: (-spreads[answer], answer))
