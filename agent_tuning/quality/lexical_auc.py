"""Lexical AUC: how well word overlap alone tells positives from negatives.

0.5: not at all, so the negatives are hard. 1.0: perfectly, so they are trivial.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import rankdata

from agent_tuning.quality.word_overlap import WordOverlap
from agent_tuning.records import Assistant, Decision, Group, Trajectory, User


def compute_auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that a positive scores above a negative; ties count half.

    It is the Mann-Whitney U divided by the number of pairs; without a pair it is 0.5.
    """
    if not positives or not negatives:
        return 0.5
    ranks = rankdata([*positives, *negatives])[: len(positives)]
    n, m = len(positives), len(negatives)
    return float((np.sum(ranks) - n * (n + 1) / 2) / (n * m))


def compute_lexical_auc(groups: Iterable[Group]) -> float:
    """The AUC of the best word overlap of a query with any tool of its prompt.

    Queries that lead to calls are the positives, all others the negatives. A trajectory counts
    by its last query and the decision after it. `groups` are read twice.
    """
    matcher = WordOverlap({tool.name: tool for group in groups for tool in group.tools}.values())
    scores: dict[bool, list[float]] = {True: [], False: []}
    for group in groups:
        for trajectory in group.trajectories:
            query, decision = _find_last_query(trajectory)
            best = max(matcher.overlap(query, tool) for tool in group.tools)
            scores[decision == "call"].append(best)
    return compute_auc(scores[True], scores[False])


def _find_last_query(trajectory: Trajectory) -> tuple[str, Decision]:
    """The last query, and the decision that follows it."""
    turns = trajectory.turns
    index = max(index for index, turn in enumerate(turns) if isinstance(turn, User))
    query = turns[index]
    assert isinstance(query, User)
    decision = next(turn for turn in turns[index:] if isinstance(turn, Assistant)).decision
    return query.text, decision
