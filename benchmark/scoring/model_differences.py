"""Whether the tuned model is better than each other row of the table, on the same tasks."""

from collections.abc import Iterator, Mapping, Sequence

from agent_tuning.records import Record
from benchmark.scoring import significance
from benchmark.scoring.task_score import ScoredAnswer

CHANCE = 0.05  # a p from here on may be chance


class ModelDifference(Record, frozen=True, omit_defaults=False):
    """em of `model` and of the tuned model; `low` to `high` holds their difference with 95 %."""

    suite: str
    model: str
    n: int
    em: float
    tuned_em: float
    difference: float
    low: float
    high: float
    p: float

    @property
    def may_be_chance(self) -> bool:
        return self.p >= CHANCE or self.low <= 0 <= self.high


def compare_with_tuned(
    answers: Mapping[str, Sequence[ScoredAnswer]], resamples: int, seed: int
) -> Iterator[ModelDifference]:
    """`answers`: of one suite, by model; every model answered the same tasks."""
    tuned = {row.task: row.score.em for row in answers.get("tuned", ())}
    for model, rows in answers.items():
        pairs = [(row.group, row.score.em, tuned[row.task]) for row in rows if row.task in tuned]
        if pairs and model != "tuned":
            tested = significance.test_pairs(pairs, resamples, seed, right_or_wrong=True)
            yield ModelDifference(rows[0].suite, model, *tested)
