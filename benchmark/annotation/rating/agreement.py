"""How far people agree: scores as a matrix, a row a person, a column an answer, NaN unrated."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import krippendorff
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
SCORES = (0, 1, 2, 3, 4, 5)
DISAGREEMENT = 2  # scores this far apart are a disagreement to talk about


class Interval(NamedTuple):
    low: float
    high: float


def build_matrix(scores: Mapping[str, Mapping[str, int]], people: Sequence[str]) -> Matrix:
    """`scores`: answer -> person -> score; columns in the order of the answers."""
    rows = [[by_person.get(who, np.nan) for by_person in scores.values()] for who in people]
    return np.array(rows, dtype=np.float64).reshape(len(people), len(scores))


def alpha(scores: Matrix) -> float | None:
    """Krippendorff's alpha for ordered scores; None where nothing can be compared."""
    paired = scores[:, (~np.isnan(scores)).sum(axis=0) > 1]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return None
    found = krippendorff.alpha(
        reliability_data=paired, level_of_measurement="ordinal", value_domain=SCORES
    )
    return float(found)


def kappa(one: Matrix, other: Matrix, power: int = 0) -> float | None:
    """Cohen's kappa of two rows; `power` 0 counts any difference alike, 2 weighs it squared."""
    both = ~np.isnan(one) & ~np.isnan(other)
    if not both.any():
        return None
    table = np.zeros((len(SCORES), len(SCORES)))
    np.add.at(table, (one[both].astype(int), other[both].astype(int)), 1)
    distance = np.abs(np.subtract.outer(SCORES, SCORES)).astype(np.float64)
    weights = (distance > 0).astype(np.float64) if power == 0 else distance**power
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    expected = float((weights * by_chance).sum())
    return 1 - float((weights * table).sum()) / expected if expected else None


def mean_kappa(scores: Matrix, power: int = 0) -> float | None:
    """Over all pairs of people who rated answers in common."""
    found = [kappa(one, other, power) for one, other in combinations(scores, 2)]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None


def alpha_interval(scores: Matrix, resamples: int, seed: int) -> Interval | None:
    """95 %, answers resampled; None if too few resamples can be compared."""
    rng = np.random.default_rng(seed)
    count = scores.shape[1]
    drawn = (alpha(scores[:, rng.integers(0, count, count)]) for _ in range(resamples))
    known = [value for value in drawn if value is not None]
    if 2 * len(known) < resamples or not known:
        return None
    return Interval(*map(float, np.percentile(known, [2.5, 97.5])))


def mean_interval(values: Sequence[float], resamples: int, seed: int) -> Interval:
    """95 % of a mean, the values resampled."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.asarray(values, dtype=np.float64), (resamples, len(values)))
    return Interval(*map(float, np.percentile(drawn.mean(axis=1), [2.5, 97.5])))


def biases(scores: Matrix) -> list[float | None]:
    """How far above the others each person scores, on average over answers in common."""
    return [_bias(scores, row) for row in range(len(scores))]


def _bias(scores: Matrix, row: int) -> float | None:
    others = np.delete(scores, row, axis=0)
    shared = ~np.isnan(scores[row]) & (~np.isnan(others)).any(axis=0)
    if not shared.any():
        return None
    return float((scores[row, shared] - np.nanmean(others[:, shared], axis=0)).mean())


def find_disagreements(scores: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Answers with scores far apart, or a veto that not all share; the widest first."""
    spread = {answer: max(by.values()) - min(by.values()) for answer, by in scores.items()}
    vetoed = {answer for answer, by in scores.items() if 0 in by.values()}
    found = (a for a, apart in spread.items() if apart >= DISAGREEMENT or (apart and a in vetoed))
    return sorted(found, key=lambda answer: (-spread[answer], answer))
