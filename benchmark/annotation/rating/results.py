"""Ratings as metrics, and as the list of answers to talk about.

`headline` is 1 when the people agree well enough for the means to be quoted, else 0.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import Record
from benchmark.annotation.rating import agreement
from benchmark.annotation.rating.rated_answers import RatedAnswer
from benchmark.annotation.rating.rubric import MIN_USABLE_SCORE, Judgement
from benchmark.annotation.web.events import Event, Rating, find_current

Scores = Mapping[str, Mapping[str, int]]  # answer -> person -> score


class RatingConfig(Record, frozen=True):
    port: int
    seed: int
    tasks: int
    min_alpha: float
    bootstrap: int


class Disagreement(Record, frozen=True):
    id: str
    task: str
    versions: tuple[str, ...]
    text: str
    scores: dict[str, int]  # by person
    comments: dict[str, str] = {}


def read_scores(events: Iterable[Event], rated: Sequence[RatedAnswer]) -> dict[str, dict[str, int]]:
    """What stands now, of answers on the sheet."""
    held = find_current(events)
    return {
        one.id: {
            who: event.after.score
            for who, event in sorted(held[one.id].items())
            if isinstance(event.after, Rating)
        }
        for one in rated
        if one.id in held
    }


def compute_metrics(
    scores: Scores, rated: Sequence[RatedAnswer], judged: Mapping[str, Judgement], p: RatingConfig
) -> dict[str, float]:
    found: dict[str, float | None] = {}
    marks = {answer: {"judge": one.score} for answer, one in judged.items()}
    for version in sorted({version for one in rated for version in one.versions}):
        mine = [one.id for one in rated if version in one.versions]
        for given, prefix in ((scores, version), (marks, f"judge.{version}")):
            by_answer = [given[answer] for answer in mine if answer in given]
            if by_answer or given is scores:
                found |= {f"{prefix}.{k}": v for k, v in _of_version(by_answer, p)}
    people = sorted({who for by_person in scores.values() for who in by_person})
    table = agreement.build_matrix(scores, people)
    found |= dict(_agreed(table, people, p))
    found |= dict(_beside_judge(scores, judged))
    return {name: value for name, value in found.items() if value is not None}


def _of_version(given: Sequence[Mapping[str, int]], p: RatingConfig) -> Iterator[tuple[str, float]]:
    """An answer counts once, by the mean of its scores; a veto by anybody is a veto."""
    yield "n", len(given)
    if not given:
        return
    means = [statistics.fmean(by_person.values()) for by_person in given]
    shares = [statistics.fmean(s >= MIN_USABLE_SCORE for s in by.values()) for by in given]
    for name, values in (("mean", means), ("usable", shares)):
        low, high = agreement.mean_interval(values, p.bootstrap, p.seed)
        yield from ((name, statistics.fmean(values)), (f"{name}_low", low), (f"{name}_high", high))
    yield "veto", statistics.fmean(0 in by_person.values() for by_person in given)


def _agreed(
    table: agreement.Matrix, people: Sequence[str], p: RatingConfig
) -> Iterator[tuple[str, float | None]]:
    alpha = agreement.alpha(table)
    interval = agreement.alpha_interval(table, p.bootstrap, p.seed) if alpha is not None else None
    low, high = interval or (None, None)
    yield from (("alpha", alpha), ("alpha_low", low), ("alpha_high", high))
    yield from (("kappa", agreement.mean_kappa(table)), ("kappa_w", agreement.mean_kappa(table, 2)))
    yield "headline", int(alpha is not None and alpha >= p.min_alpha)
    yield "people", len(people)
    yield "rated_twice", int(((~np.isnan(table)).sum(axis=0) > 1).sum())
    yield from zip((f"bias.{who}" for who in people), agreement.biases(table), strict=True)


def _beside_judge(
    scores: Scores, judged: Mapping[str, Judgement]
) -> Iterator[tuple[str, float | None]]:
    """The judge against the median of the people, rounded down."""
    both = {i: by for i, by in scores.items() if by and i in judged}
    if not both:
        return
    people = np.array([statistics.median_low(by.values()) for by in both.values()], dtype=float)
    judge = np.array([judged[answer].score for answer in both], dtype=float)
    yield "judge.n", len(both)
    yield "judge.alpha", agreement.alpha(np.stack([people, judge]))
    yield "judge.kappa_w", agreement.kappa(people, judge, 2)
    yield (
        "judge.usable_agreement",
        float(((people >= MIN_USABLE_SCORE) == (judge >= MIN_USABLE_SCORE)).mean()),
    )
    yield "judge.bias", float((judge - people).mean())


def describe_disagreements(
    scores: Scores, events: Iterable[Event], rated: Sequence[RatedAnswer]
) -> list[Disagreement]:
    by_id = {one.id: one for one in rated}
    held = find_current(events)
    return [
        Disagreement(
            id=answer,
            task=by_id[answer].task,
            versions=by_id[answer].versions,
            text=by_id[answer].text,
            scores=dict(scores[answer]),
            comments={
                who: event.after.comment
                for who, event in sorted(held[answer].items())
                if event.after and event.after.comment
            },
        )
        for answer in agreement.find_disagreements(scores)
    ]


def write(
    events: Sequence[Event],
    rated: Sequence[RatedAnswer],
    judged: Mapping[str, Judgement],
    p: RatingConfig,
    suite_digest: str,
    metrics_path: Path,
    disagreements_path: Path,
) -> None:
    scores = read_scores(events, rated)
    sign = f"signature.bands:0-5|tasks:{p.tasks}|seed:{p.seed}|suite:{suite_digest[:12]}"
    sign += "".join(f"|judge:{name}" for name in sorted({one.by for one in judged.values()}))
    metrics_file.write(metrics_path, {**compute_metrics(scores, rated, judged, p), sign: 1})
    jsonl.write(disagreements_path, describe_disagreements(scores, events, rated))
