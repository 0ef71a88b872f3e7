"""General ability before and after tuning: what was kept, item by item, and how much of it.

Two measures, both lm-eval's: `accuracy` of sentence endings (a higher one is better) and
`bits_per_byte` of everyday dialogue (a lower one is better).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from agent_tuning.records import BadInput, Language, Record
from benchmark.scoring import significance

MEASURES = {"cloze": "accuracy", "dialogue": "bits_per_byte"}
LOSS_SIGN = {"accuracy": -1, "bits_per_byte": 1}  # the sign of a change that is a loss


class RetentionItem(Record, frozen=True):
    """One item of a task: 1 or 0 right of 1, or so many bits for so many bytes of text."""

    task: str
    id: str
    kind: str
    language: Language
    value: float
    weight: int


def compute_metrics(
    base: Sequence[RetentionItem], tuned: Sequence[RetentionItem], resamples: int, seed: int
) -> dict[str, float]:
    """Flat: every measure of both models by kind, and the loss with its 95 % interval.

    Both models were asked the same; items are resampled in pairs.
    """
    flat: dict[str, float] = {}
    for task, name in MEASURES.items():
        pairs = _pairs(base, tuned, task)
        before, after = ([pair[side] for pair in pairs] for side in (0, 1))
        flat[f"n.{task}"] = len(pairs)
        for model, items in (("base", before), ("tuned", after)):
            flat[f"{model}.{name}"] = _share(items)
            for kind in sorted({one.kind for one in items}):
                flat[f"{model}.{name}.{kind}"] = _share([o for o in items if o.kind == kind])
        flat[f"loss.{name}"] = LOSS_SIGN[name] * (_share(after) - _share(before))
        values = np.array([[b.value, a.value] for b, a in pairs])
        weights = np.array([one.weight for one in before], dtype=float)
        drawn = significance.draw_resamples(len(pairs), resamples, seed)
        shares = (drawn @ values) / (drawn @ weights)[:, None]
        low, high = significance.percentile_interval(
            LOSS_SIGN[name] * (shares[:, 1] - shares[:, 0])
        )
        flat |= {f"loss.{name}.low": low, f"loss.{name}.high": high}
    return flat


def _pairs(
    base: Sequence[RetentionItem], tuned: Sequence[RetentionItem], task: str
) -> list[tuple[RetentionItem, RetentionItem]]:
    before, after = _by_id(base, task), _by_id(tuned, task)
    if unpaired := sorted(before.keys() ^ after.keys()):
        raise BadInput(f"{task}: {unpaired[0]!r} was asked of one model only")
    if not before:
        raise BadInput(f"{task}: no items")
    return [(before[name], after[name]) for name in sorted(before)]


def _by_id(items: Sequence[RetentionItem], task: str) -> Mapping[str, RetentionItem]:
    return {one.id: one for one in items if one.task == task}


def _share(items: Sequence[RetentionItem]) -> float:
    return sum(one.value for one in items) / sum(one.weight for one in items)
