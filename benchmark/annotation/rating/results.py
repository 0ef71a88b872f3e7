"""The metrics of the ratings, and the answers that the raters disagree about.

`headline` is 1 if people rated enough answers in common and agree well enough for the means to be
quoted, else 0.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import Record
from agent_tuning.runtime.ranges import AtLeastOne, Port, Seed
from benchmark.annotation.rating import agreement
from benchmark.annotation.rating.rated_answers import RatedAnswer
from benchmark.annotation.rating.rubric import MIN_USABLE_SCORE, Judgement
from benchmark.annotation.web.events import Event, Rating, find_current

Alpha = Annotated[float, Meta(ge=-1, le=1)]  # of Krippendorff; below 0 it is worse than chance
Scores = Mapping[str, Mapping[str, int]]  # answer -> person -> score


class RatingConfig(Record, frozen=True):
    port: Port
    seed: Seed
    tasks: AtLeastOne
    shared: AtLeastOne
    min_alpha: Alpha
    bootstrap: AtLeastOne


class Disagreement(Record, frozen=True):
    id: str
    task: str
    versions: tuple[str, ...]
    text: str
    scores: dict[str, int]  # by person
    comments: dict[str, str] = {}


def read_scores(
    events: Iterable[Event], answers: Sequence[RatedAnswer]
) -> dict[str, dict[str, int]]:
    """The current scores of the answers on the sheet."""
    current = find_current(events, Rating)
    return {
        answer.id: {
            who: event.after.score
            for who, event in sorted(current[answer.id].items())
            if isinstance(event.after, Rating)
        }
        for answer in answers
        if answer.id in current
    }


def compute_metrics(
    scores: Scores,
    answers: Sequence[RatedAnswer],
    judgements: Mapping[str, Judgement],
    p: RatingConfig,
) -> dict[str, float]:
    """The metrics of every version, of the people's agreement, and of the judge."""
    metrics: dict[str, float | None] = {}
    judge_scores = {answer: {"judge": j.score} for answer, j in judgements.items()}
    for version in sorted({version for answer in answers for version in answer.versions}):
        ids = [answer.id for answer in answers if version in answer.versions]
        for source, prefix in ((scores, version), (judge_scores, f"judge.{version}")):
            given = [source[answer] for answer in ids if answer in source]
            if given or source is scores:
                metrics |= {f"{prefix}.{k}": v for k, v in _measure_version(given, p)}
    people = sorted({who for by_person in scores.values() for who in by_person})
    matrix = agreement.build_matrix(scores, people)
    metrics |= dict(_measure_agreement(matrix, people, p))
    metrics |= dict(_compare_with_judge(scores, judgements))
    return {name: value for name, value in metrics.items() if value is not None}


def _measure_version(
    given: Sequence[Mapping[str, int]], p: RatingConfig
) -> Iterator[tuple[str, float]]:
    """Every answer counts once, by the mean of its scores. A veto by anybody is a veto."""
    yield "n", len(given)
    if not given:
        return
    means = [statistics.fmean(by_person.values()) for by_person in given]
    shares = [
        statistics.fmean(score >= MIN_USABLE_SCORE for score in by_person.values())
        for by_person in given
    ]
    for name, values in (("mean", means), ("usable", shares)):
        low, high = agreement.mean_interval(values, p.bootstrap, p.seed)
        yield from ((name, statistics.fmean(values)), (f"{name}_low", low), (f"{name}_high", high))
    yield "veto", statistics.fmean(0 in by_person.values() for by_person in given)


def _measure_agreement(
    matrix: agreement.Matrix, people: Sequence[str], p: RatingConfig
) -> Iterator[tuple[str, float | None]]:
    alpha = agreement.alpha(matrix)
    interval = agreement.alpha_interval(matrix, p.bootstrap, p.seed) if alpha is not None else None
    low, high = interval or (None, None)
    yield from (("alpha", alpha), ("alpha_low", low), ("alpha_high", high))
    yield "kappa", agreement.mean_kappa(matrix)
    yield "kappa_w", agreement.mean_kappa(matrix, 2)
    rated_twice = int(((~np.isnan(matrix)).sum(axis=0) > 1).sum())
    is_enough = rated_twice >= p.shared
    yield "headline", int(is_enough and alpha is not None and alpha >= p.min_alpha)
    yield "people", len(people)
    yield "rated_twice", rated_twice
    yield from zip((f"bias.{who}" for who in people), agreement.biases(matrix), strict=True)


def _compare_with_judge(
    scores: Scores, judgements: Mapping[str, Judgement]
) -> Iterator[tuple[str, float | None]]:
    """The judge against the people's median, which is rounded down."""
    both = {
        answer: by_person
        for answer, by_person in scores.items()
        if by_person and answer in judgements
    }
    if not both:
        return
    medians = [statistics.median_low(by_person.values()) for by_person in both.values()]
    people = np.array(medians, dtype=float)
    judge = np.array([judgements[answer].score for answer in both], dtype=float)
    yield "judge.n", len(both)
    yield "judge.alpha", agreement.alpha(np.stack([people, judge]))
    yield "judge.kappa_w", agreement.kappa(people, judge, 2)
    agree = (people >= MIN_USABLE_SCORE) == (judge >= MIN_USABLE_SCORE)
    yield "judge.usable_agreement", float(agree.mean())
    yield "judge.bias", float((judge - people).mean())


def describe_disagreements(
    scores: Scores, events: Iterable[Event], answers: Sequence[RatedAnswer]
) -> list[Disagreement]:
    """The answers that people disagree about, with everybody's score and comment."""
    by_id = {answer.id: answer for answer in answers}
    current = find_current(events, Rating)
    return [
        Disagreement(
            id=answer,
            task=by_id[answer].task,
            versions=by_id[answer].versions,
            text=by_id[answer].text,
            scores=dict(scores[answer]),
            comments={
                who: event.after.comment
                for who, event in sorted(current[answer].items())
                if isinstance(event.after, Rating) and event.after.comment
            },
        )
        for answer in agreement.find_disagreements(scores)
    ]


def write(
    events: Sequence[Event],
    answers: Sequence[RatedAnswer],
    judgements: Mapping[str, Judgement],
    p: RatingConfig,
    suite_digest: str,
    metrics_path: Path,
    disagreements_path: Path,
) -> None:
    scores = read_scores(events, answers)
    signature = f"signature.bands:0-5|tasks:{p.tasks}|seed:{p.seed}|suite:{suite_digest[:12]}"
    judges = sorted({judgement.by for judgement in judgements.values()})
    signature += "".join(f"|judge:{name}" for name in judges)
    metrics = compute_metrics(scores, answers, judgements, p)
    metrics_file.write(metrics_path, {**metrics, signature: 1})
    jsonl.write(disagreements_path, describe_disagreements(scores, events, answers))
