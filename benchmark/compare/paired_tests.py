"""The same tasks answered twice: what got better or worse, and whether it may be chance."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from statistics import fmean
from typing import Literal

import msgspec

from agent_tuning.records import Record
from benchmark.scoring import significance
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.task_score import ScoredAnswer

EXACT_METRICS = ("em", "args")  # right or wrong: tested by McNemar, and a change is a flip
GRADED_METRICS = ("text", "score")  # tested by flipping the signs of groups

Direction = Literal["same", "better", "worse"]
Pair = tuple[ScoredAnswer, ScoredAnswer]


class CompareConfig(Record, frozen=True):
    resamples: int
    seed: int
    alpha: float


class MetricChange(Record, frozen=True, omit_defaults=False):
    """One metric of one suite; `low` to `high` holds b − a with 95 % confidence."""

    suite: str
    metric: str
    n: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float = 1.0
    verdict: Direction = "same"


class Flip(Record, frozen=True):
    """A task whose decision or arguments are right in one version only."""

    suite: str
    task: str
    kind: str
    em: tuple[int, int]
    args: tuple[int | None, int | None]
    query: str
    gold: str
    answers: tuple[str, str]
    reasons: tuple[str, str]

    @property
    def lost(self) -> bool:
        return (self.em[0], self.args[0] or 0) > (self.em[1], self.args[1] or 0)


class Comparison(Record, frozen=True):
    a: str
    b: str
    changes: tuple[MetricChange, ...]
    flips: tuple[Flip, ...]
    unanswered: tuple[int, int]

    @property
    def worse(self) -> list[MetricChange]:
        return [change for change in self.changes if change.verdict == "worse"]


def compare_pairs(names: tuple[str, str], pairs: Sequence[Pair], p: CompareConfig) -> Comparison:
    """`pairs` are the two lines of every task, suite by suite."""
    suites = groupby(pairs, key=lambda pair: pair[0].suite)
    found = [change for _, rows in suites for change in _changes(list(rows), p)]
    flips = sorted(_flips(pairs), key=lambda flip: (not flip.lost, flip.suite, flip.task))
    unanswered = [row.outcome == Verdict.ERROR for pair in pairs for row in pair]
    failed = sum(unanswered[::2]), sum(unanswered[1::2])
    return Comparison(*names, tuple(_decided(found, p.alpha)), tuple(flips), failed)


def _changes(pairs: Sequence[Pair], p: CompareConfig) -> Iterator[MetricChange]:
    """Every metric that the tasks of one suite have; p is not yet corrected."""
    for metric in (*EXACT_METRICS, *GRADED_METRICS):
        kept = [
            (one.group, before, after)
            for one, other in pairs
            if (before := getattr(one.score, metric)) is not None
            and (after := getattr(other.score, metric)) is not None
        ]
        if kept:
            yield _change(pairs[0][0].suite, metric, kept, p)


def _change(
    suite: str, metric: str, kept: Sequence[tuple[str, float, float]], p: CompareConfig
) -> MetricChange:
    groups = [group for group, _, _ in kept]
    moved = [after - before for _, before, after in kept]
    low, high = significance.mean_interval(moved, groups, p.resamples, p.seed)
    if metric in EXACT_METRICS:
        chance = significance.mcnemar(moved.count(-1), moved.count(1))
    else:
        chance = significance.sign_flip(moved, groups, p.resamples, p.seed)
    return MetricChange(
        suite=suite,
        metric=metric,
        n=len(kept),
        a=fmean(before for _, before, _ in kept),
        b=fmean(after for _, _, after in kept),
        difference=fmean(moved),
        low=low,
        high=high,
        p=chance,
    )


def _decided(found: Sequence[MetricChange], alpha: float) -> Iterator[MetricChange]:
    """Significant is what both say: the p of single tasks and the interval of whole groups."""
    for one, p_holm in zip(found, significance.apply_holm([one.p for one in found]), strict=True):
        verdict: Direction = "same"
        if p_holm < alpha and (one.low > 0 or one.high < 0):
            verdict = "better" if one.low > 0 else "worse"
        yield msgspec.structs.replace(one, p_holm=p_holm, verdict=verdict)


def _flips(pairs: Iterable[Pair]) -> Iterator[Flip]:
    for one, other in pairs:
        em, args = (one.score.em, other.score.em), (one.score.args, other.score.args)
        if em[0] != em[1] or args[0] != args[1]:
            yield Flip(
                suite=one.suite,
                task=one.task,
                kind=one.kind,
                em=em,
                args=args,
                query=one.query,
                gold=one.gold,
                answers=(one.answer, other.answer),
                reasons=(one.reason, other.reason),
            )
