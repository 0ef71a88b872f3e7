"""How well word overlap alone tells positives from negatives: the AUC of a lexical matcher.

0.5: not at all, the negatives are hard; 1.0: perfectly, they are trivial.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import rankdata

from trajectory.lexical import Lexical
from trajectory.records import Assistant, Group


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties half (Mann-Whitney U / n m)."""
    ranks = rankdata([*positives, *negatives])[: len(positives)]
    n, m = len(positives), len(negatives)
    return float((np.sum(ranks) - n * (n + 1) / 2) / (n * m))


def lexical_auc(groups: Iterable[Group]) -> float:
    """Over queries: the best overlap with any tool of the menu, calls against no calls."""
    groups = list(groups)
    matcher = Lexical({tool.name: tool for group in groups for tool in group.tools}.values())
    scores: dict[bool, list[float]] = {True: [], False: []}
    for group in groups:
        for trajectory in group.trajectories:
            best = max(matcher.overlap(trajectory.query, tool) for tool in group.tools)
            first = next(turn for turn in trajectory.turns if isinstance(turn, Assistant))
            scores[first.decision == "call"].append(best)
    return auc(scores[True], scores[False])
