"""How well word overlap alone tells positives from negatives: the AUC of a lexical matcher.

0.5: not at all, the negatives are hard; 1.0: perfectly, they are trivial.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import rankdata

from agent_tuning.quality.word_overlap import WordOverlap
from agent_tuning.records import Assistant, Decision, Group, Trajectory, User


def compute_auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties half (Mann-Whitney U / n m)."""
    ranks = rankdata([*positives, *negatives])[: len(positives)]
    n, m = len(positives), len(negatives)
    return float((np.sum(ranks) - n * (n + 1) / 2) / (n * m))


def compute_lexical_auc(groups: Iterable[Group]) -> float:
    """Over queries: the best overlap with any tool of the menu, calls against no calls.

    A trajectory counts by its last query and the decision after it. `groups` are read twice.
    """
    matcher = WordOverlap({tool.name: tool for group in groups for tool in group.tools}.values())
    scores: dict[bool, list[float]] = {True: [], False: []}
    for group in groups:
        for trajectory in group.trajectories:
            query, decision = _asked_last(trajectory)
            best = max(matcher.overlap(query, tool) for tool in group.tools)
            scores[decision == "call"].append(best)
    return compute_auc(scores[True], scores[False])


def _asked_last(trajectory: Trajectory) -> tuple[str, Decision]:
    turns = trajectory.turns
    place = max(n for n, turn in enumerate(turns) if isinstance(turn, User))
    decision = next(turn for turn in turns[place:] if isinstance(turn, Assistant)).decision
    query = turns[place]
    assert isinstance(query, User)
    return query.text, decision
