"""General ability before and after tuning, and the loss between them.

Both measures are lm-eval's: `accuracy` of sentence endings (0-1, higher is better) and
`bits_per_byte` of everyday dialogue (lower is better).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from agent_tuning.records import BadInput, Language, Record
from agent_tuning.runtime.ranges import AtLeastOne, Seed
from benchmark.scoring import significance

MEASURES = {"cloze": "accuracy", "dialogue": "bits_per_byte"}
LOSS_SIGN = {"accuracy": -1, "bits_per_byte": 1}  # the sign of a change that is a loss
LOSS_NAMES = {"accuracy": "accuracy_drop", "bits_per_byte": "bits_per_byte_rise"}


class GeneralConfig(Record, frozen=True):
    bootstrap: AtLeastOne
    seed: Seed


class RetentionItem(Record, frozen=True):
    """One item of a task.

    cloze: `value` is 1 if right, else 0, of `weight` 1. dialogue: `value` bits of `weight` bytes.
    """

    task: str
    id: str
    kind: str
    language: Language
    value: float
    weight: int


def compute_metrics(
    base: Sequence[RetentionItem], tuned: Sequence[RetentionItem], resamples: int, seed: int
) -> dict[str, float]:
    """Every measure of both models, also by kind, and the loss with its 95 % interval.

    Both models must have the same items, which are resampled in pairs; otherwise BadInput.
    """
    flat: dict[str, float] = {}
    for task, name in MEASURES.items():
        pairs = _pair_items(base, tuned, task)
        before, after = ([pair[side] for pair in pairs] for side in (0, 1))
        flat[f"n.{task}"] = len(pairs)
        for model, items in (("base", before), ("tuned", after)):
            flat[f"{model}.{name}"] = _weigh(items)
            for kind in sorted({item.kind for item in items}):
                of_kind = [item for item in items if item.kind == kind]
                flat[f"{model}.{name}.{kind}"] = _weigh(of_kind)
        loss = LOSS_NAMES[name]
        flat[loss] = LOSS_SIGN[name] * (_weigh(after) - _weigh(before))
        values = np.array([[b.value, a.value] for b, a in pairs])
        weights = np.array([item.weight for item in before], dtype=float)
        drawn = significance.draw_resamples(len(pairs), resamples, seed)
        shares = (drawn @ values) / (drawn @ weights)[:, None]
        low, high = significance.percentile_interval(
            LOSS_SIGN[name] * (shares[:, 1] - shares[:, 0])
        )
        flat |= {f"{loss}.low": low, f"{loss}.high": high}
    return flat


def _pair_items(
    base: Sequence[RetentionItem], tuned: Sequence[RetentionItem], task: str
) -> list[tuple[RetentionItem, RetentionItem]]:
    before, after = _group_by_id(base, task), _group_by_id(tuned, task)
    if unpaired := sorted(before.keys() ^ after.keys()):
        raise BadInput(
            f"{task}: {unpaired[0]!r} has a result of one model only; "
            "run the stage `retention` again"
        )
    if not before:
        raise BadInput(f"{task}: no items")
    return [(before[name], after[name]) for name in sorted(before)]


def _group_by_id(items: Sequence[RetentionItem], task: str) -> Mapping[str, RetentionItem]:
    return {item.id: item for item in items if item.task == task}


def _weigh(items: Sequence[RetentionItem]) -> float:
    return sum(item.value for item in items) / sum(item.weight for item in items)
