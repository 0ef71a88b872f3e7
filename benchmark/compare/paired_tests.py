"""The same tasks answered twice: what got better or worse, and whether it may be chance."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

import msgspec

from agent_tuning.records import Record
from agent_tuning.runtime.ranges import AtLeastOne, Seed, Share
from benchmark.scoring import significance
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.task_score import ScoredAnswer

EXACT_METRICS = (
    "em",
    "call_exact_match",
)  # right or wrong: tested by McNemar, and a change is a flip
GRADED_METRICS = ("text", "score")  # tested by flipping the signs of groups

Direction = Literal["same", "better", "worse"]
Pair = tuple[ScoredAnswer, ScoredAnswer]


class CompareConfig(Record, frozen=True):
    resamples: AtLeastOne
    seed: Seed
    alpha: Share


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
    call_exact_match: tuple[int | None, int | None]
    query: str
    gold: str
    answers: tuple[str, str]
    reasons: tuple[str, str]

    @property
    def lost(self) -> bool:
        return (self.em[0], self.call_exact_match[0] or 0) > (
            self.em[1],
            self.call_exact_match[1] or 0,
        )


class Comparison(Record, frozen=True):
    a: str
    b: str
    changes: tuple[MetricChange, ...]
    flips: tuple[Flip, ...]
    unanswered: tuple[int, int]

    @property
    def worse(self) -> list[MetricChange]:
        return [change for change in self.changes if change.verdict == "worse"]


def compare_pairs(
    names: tuple[str, str], pairs: Sequence[Pair], settings: CompareConfig
) -> Comparison:
    """`pairs` are the two lines of every task, suite by suite."""
    suites = groupby(pairs, key=lambda pair: pair[0].suite)
    changes = [change for _, rows in suites for change in _test_metrics(list(rows), settings)]
    flips = sorted(_find_flips(pairs), key=lambda flip: (not flip.lost, flip.suite, flip.task))
    unanswered = [row.outcome == Verdict.ERROR for pair in pairs for row in pair]
    failed = sum(unanswered[::2]), sum(unanswered[1::2])
    decided = tuple(_decide(changes, settings.alpha))
    return Comparison(*names, decided, tuple(flips), failed)


def _test_metrics(pairs: Sequence[Pair], settings: CompareConfig) -> Iterator[MetricChange]:
    """Every metric that the tasks of one suite have; p is not yet corrected."""
    for metric in (*EXACT_METRICS, *GRADED_METRICS):
        values = [
            (a.group, before, after)
            for a, b in pairs
            if (before := getattr(a.score, metric)) is not None
            and (after := getattr(b.score, metric)) is not None
        ]
        if values:
            tested = significance.test_pairs(
                values,
                settings.resamples,
                settings.seed,
                right_or_wrong=metric in EXACT_METRICS,
            )
            yield MetricChange(pairs[0][0].suite, metric, *tested)


def _decide(changes: Sequence[MetricChange], alpha: float) -> Iterator[MetricChange]:
    """A change is significant if both say so: the corrected p, and the interval of groups."""
    corrected = significance.apply_holm([change.p for change in changes])
    for change, p_holm in zip(changes, corrected, strict=True):
        verdict: Direction = "same"
        if p_holm < alpha and (change.low > 0 or change.high < 0):
            verdict = "better" if change.low > 0 else "worse"
        yield msgspec.structs.replace(change, p_holm=p_holm, verdict=verdict)


def _find_flips(pairs: Iterable[Pair]) -> Iterator[Flip]:
    for a, b in pairs:
        em = (a.score.em, b.score.em)
        exact = (a.score.call_exact_match, b.score.call_exact_match)
        if em[0] != em[1] or exact[0] != exact[1]:
            yield Flip(
                suite=a.suite,
                task=a.task,
                kind=a.kind,
                em=em,
                call_exact_match=exact,
                query=a.query,
                gold=a.gold,
                answers=(a.answer, b.answer),
                reasons=(a.reason, b.reason),
            )
