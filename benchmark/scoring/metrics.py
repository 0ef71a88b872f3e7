"""From many scored answers to numbers. The order of the answers changes no byte of the result."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from agent_tuning.files import json_file
from agent_tuning.files.metrics_file import DIGITS
from agent_tuning.records import Record
from benchmark.scoring import significance
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.task_score import ScoredAnswer

FACETS = ("kind", "language", "reply_format", "tool_format", "template")
AXES = ("query", "tool", "template", "tool_format")
DECISIONS = ("call", "no_call", "ask")
SCORES = (
    "text",
    "score",
    "score_gated",
    "kagent_plan",
    "kagent_tool",
    "call_exact_match",
    "args_f1",
)

RowFilter = Callable[[ScoredAnswer], bool]


class BreakdownRow(Record, frozen=True):
    """One slice of a suite's tasks; `low` to `high` holds em with 95 % confidence."""

    suite: str
    model: str
    slice: str
    value: str
    n: int
    em: float
    low: float
    high: float
    text: float | None = None
    score: float | None = None
    call_exact_match: float | None = None
    parse_error_rate: float | None = None


class SweepRow(Record, frozen=True):
    suite: str
    model: str
    lam: float
    score: float


def read(path: Path) -> dict[str, float]:
    """A metrics file, as `agent_tuning.files.metrics_file` writes it."""
    return {**json_file.read(path, dict[str, int | float])}


def compute_metrics(scored: Iterable[ScoredAnswer]) -> dict[str, float]:
    """The metrics of one model on one suite, sorted by name; a metric without tasks is absent."""
    rows = list(scored)
    wanted = {decision: [r for r in rows if r.wanted == decision] for decision in DECISIONS}
    idle = [r for r in rows if r.wanted != "call"]
    em = {decision: _mean(r.score.em for r in wanted[decision]) for decision in DECISIONS}
    both = [value for value in (em["call"], em["no_call"]) if value is not None]
    values: dict[str, float | None] = {
        "n": len(rows),
        "em": _mean(r.score.em for r in rows),
        "em_macro": _mean(both),  # a mix of 4:1 does not decide it
        **{f"{decision}_em": value for decision, value in em.items()},
        **{name: mean_score(rows, name) for name in SCORES},
        "false_call_rate": _share(idle, lambda r: r.outcome == Verdict.CALL),
        "missed_call_rate": _share(
            wanted["call"], lambda r: r.outcome in (Verdict.NO_CALL, Verdict.ASK)
        ),
        "parse_error_rate": _share(rows, lambda r: r.outcome == Verdict.MALFORMED),
        "error": _share(rows, lambda r: r.outcome == Verdict.ERROR),
        "answered_rate": _share(rows, lambda r: not r.missing),
        "incomplete": int(any(r.outcome == Verdict.ERROR for r in rows)),  # may not be promoted
        **{
            f"confusion.{want}.{got}": count
            for (want, got), count in count_confusions(rows).items()
            if wanted[want]
        },
    }
    return {name: _round(value) for name, value in sorted(values.items()) if value is not None}


def count_confusions(scored: Iterable[ScoredAnswer]) -> dict[tuple[str, str], int]:
    """How many tasks that require a decision got which outcome."""
    counts: Counter[tuple[str, str]] = Counter((r.wanted, r.outcome.value) for r in scored)
    return {(want, got.value): counts[want, got.value] for want in DECISIONS for got in Verdict}


def sweep_lambda(scored: Sequence[ScoredAnswer], lams: Iterable[float]) -> list[SweepRow]:
    """The score under several λ; nothing for a suite whose golds have no thoughts."""
    described = [r for r in scored if r.score.text is not None]
    em, text = _mean(r.score.em for r in described), mean_score(described, "text")
    if em is None or text is None:
        return []
    first = described[0]
    return [SweepRow(first.suite, first.model, lam, _round(em + lam * text)) for lam in lams]


def compute_breakdown(
    scored: Sequence[ScoredAnswer], resamples: int, seed: int
) -> list[BreakdownRow]:
    """Every slice with the confidence interval of its em, and seen − unseen gaps per axis."""
    rows = sorted(scored, key=lambda r: r.task)
    if not rows:
        return []
    slices = list(_list_slices(rows))
    boot = _Bootstrap(rows, slices, resamples, seed)
    parts = [_build_row(name, rows, test, *boot.interval(name)) for name, test in slices]
    gaps = _build_gaps(parts, boot)
    return sorted([*parts, *gaps], key=lambda row: (_rank_slice(row.slice), row.value))


def collect_intervals(rows: Iterable[BreakdownRow]) -> dict[str, float]:
    """From one model's breakdown: the interval of its em, and every gap with its own."""
    flat: dict[str, float] = {}
    for row in rows:
        if row.slice == "all":
            flat |= {"em.low": row.low, "em.high": row.high}
        if row.value == "gap":
            name = f"gap.{row.slice.removeprefix('axis.')}"
            flat |= {name: row.em, f"{name}.low": row.low, f"{name}.high": row.high}
    return flat


def mean_score(rows: Iterable[ScoredAnswer], name: str) -> float | None:
    values = (getattr(row.score, name) for row in rows)
    return _mean(value for value in values if value is not None)


Slice = tuple[str, str]  # a facet or axis, and the value that the tasks of this slice have


class _Bootstrap:
    """The em of every slice in every resample of groups; all slices share the resamples."""

    def __init__(
        self,
        rows: Sequence[ScoredAnswer],
        slices: Sequence[tuple[Slice, RowFilter]],
        resamples: int,
        seed: int,
    ) -> None:
        index = {group: i for i, group in enumerate(sorted({row.group for row in rows}))}
        right = np.zeros((len(index), len(slices)))
        count = np.zeros((len(index), len(slices)))
        for row in rows:
            inside = np.array([test(row) for _, test in slices], dtype=float)
            count[index[row.group]] += inside
            right[index[row.group]] += inside * row.score.em
        weights = significance.draw_resamples(len(index), resamples, seed)
        with np.errstate(invalid="ignore"):  # a slice may be absent from a resample
            self.em = (weights @ right) / (weights @ count)
        self.column = {name: i for i, (name, _) in enumerate(slices)}

    def interval(self, name: Slice) -> tuple[float, float]:
        return significance.percentile_interval(self.em[:, self.column[name]])

    def gap(self, seen: Slice, unseen: Slice) -> tuple[float, float]:
        differences = self.em[:, self.column[seen]] - self.em[:, self.column[unseen]]
        return significance.percentile_interval(differences)


def _list_slices(rows: Sequence[ScoredAnswer]) -> Iterator[tuple[Slice, RowFilter]]:
    yield ("all", "all"), lambda _: True
    for facet in ("wanted", *FACETS):
        for value in sorted({str(getattr(row, facet)) for row in rows}):
            yield (facet, value), _match_facet(facet, value)
    for axis in AXES:
        for value in sorted({row.axes[axis] for row in rows if axis in row.axes}):
            yield (f"axis.{axis}", value), _match_axis(axis, value)


def _match_facet(facet: str, value: str) -> RowFilter:
    return lambda row: str(getattr(row, facet)) == value


def _match_axis(axis: str, value: str) -> RowFilter:
    return lambda row: row.axes.get(axis) == value


def _build_row(
    name: Slice, rows: Sequence[ScoredAnswer], test: RowFilter, low: float, high: float
) -> BreakdownRow:
    inside = [row for row in rows if test(row)]
    return BreakdownRow(
        suite=rows[0].suite,
        model=rows[0].model,
        slice=name[0],
        value=name[1],
        n=len(inside),
        em=_round(_mean(row.score.em for row in inside) or 0.0),
        low=_round(low),
        high=_round(high),
        text=_round_known(mean_score(inside, "text")),
        score=_round_known(mean_score(inside, "score")),
        call_exact_match=_round_known(mean_score(inside, "call_exact_match")),
        parse_error_rate=_round_known(_share(inside, lambda row: row.outcome == Verdict.MALFORMED)),
    )


def _build_gaps(parts: Iterable[BreakdownRow], boot: _Bootstrap) -> Iterator[BreakdownRow]:
    """What a model loses on what training never showed it; n counts the unseen tasks."""
    by_slice = {(part.slice, part.value): part for part in parts}
    for name in (f"axis.{axis}" for axis in AXES):
        seen, unseen = by_slice.get((name, "seen")), by_slice.get((name, "unseen"))
        if seen and unseen:
            low, high = map(_round, boot.gap((name, "seen"), (name, "unseen")))
            gap = _round(seen.em - unseen.em)
            yield BreakdownRow(seen.suite, seen.model, name, "gap", unseen.n, gap, low, high)


def _rank_slice(name: str) -> int:
    order = ("all", "wanted", *FACETS, *(f"axis.{axis}" for axis in AXES))
    return order.index(name)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return math.fsum(known) / len(known) if known else None


def _share(rows: Sequence[ScoredAnswer], test: RowFilter) -> float | None:
    return _mean(test(row) for row in rows)


def _round(value: float) -> float:
    return value if isinstance(value, int) else round(value, DIGITS) + 0.0  # never -0.0


def _round_known(value: float | None) -> float | None:
    return None if value is None else _round(value)
