"""Ratings: blind and in everybody's own order, and figures that known libraries confirm."""

import random
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from agent_tuning.records import BadInput
from benchmark.annotation.rating import agreement, rated_answers, results
from benchmark.annotation.rating.rated_answers import RatedAnswer
from benchmark.annotation.rating.rubric import Judgement
from benchmark.annotation.web.events import Event, Rating
from benchmark.engines.answer import Answer
from tests.support import annotation_data

TASKS = annotation_data.suite().tasks
NAN = np.nan
# Krippendorff's own example (2011): four observers, twelve units, values missing.
OBSERVERS = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
])  # fmt: skip


def answers(**texts: str):
    return {v: {task.id: Answer(task.id, text) for task in TASKS} for v, text in texts.items()}


def two_raters(seed: int, noise: float = 0.4, count: int = 60):
    """answer -> scores of ann and ben, who agree but for some noise; ben is a little milder."""
    rng = random.Random(seed)
    scores = {}
    for number in range(count):
        ann = rng.randrange(6)
        ben = min(5, max(0, ann + rng.choice([1, 1, -1]))) if rng.random() < noise else ann
        scores[f"a{number}"] = {"ann": ann, "ben": ben}
    return scores


def test_the_sheet_holds_every_version_of_every_drawn_task():
    listed = rated_answers.draw_sheet(TASKS, answers(base="no", tuned="yes"), 5, 1)
    assert len(listed) == 10
    assert len({answer.task for answer in listed}) == 5
    assert {answer.versions for answer in listed} == {("base",), ("tuned",)}


def test_versions_that_say_the_same_are_rated_once():
    listed = rated_answers.draw_sheet(TASKS, answers(base="yes", tuned="yes"), 5, 1)
    assert [answer.versions for answer in listed] == [("base", "tuned")] * 5


def test_the_sheet_made_again_is_the_same_in_whatever_order():
    given = answers(base="no", tuned="yes")
    again = rated_answers.draw_sheet(TASKS[::-1], dict(sorted(given.items(), reverse=True)), 5, 1)
    assert [answer.id for answer in again] == [
        answer.id for answer in rated_answers.draw_sheet(TASKS, given, 5, 1)
    ]


def test_the_answer_of_a_failed_request_is_not_rated():
    given = answers(base="no")
    given["base"][TASKS[0].id] = Answer(TASKS[0].id, "", error="timeout")
    listed = rated_answers.draw_sheet(TASKS, given, len(TASKS), 1)
    assert len(listed) == len(TASKS) - 1


def test_an_id_does_not_tell_the_version():
    base = rated_answers.draw_sheet(TASKS, answers(base="yes"), 5, 1)
    tuned = rated_answers.draw_sheet(TASKS, answers(tuned="yes"), 5, 1)
    assert [answer.id for answer in base] == [answer.id for answer in tuned]


def test_everybody_rates_the_same_answers_first_and_the_others_in_an_own_order_that_stays():
    listed = rated_answers.draw_sheet(TASKS, answers(base="no", tuned="yes"), 10, 1)
    ann, ben = (rated_answers.order_for(listed, who, 1, 8) for who in ("ann", "ben"))
    assert ann[:8] == ben[:8]
    assert ann[8:] != ben[8:]
    assert {answer.id for answer in ann} == {answer.id for answer in ben}
    assert ann == rated_answers.order_for(listed[::-1], "ann", 1, 8)
    versions = [answer.versions for answer in ann]
    assert versions not in (sorted(versions), sorted(versions)[::-1])


def test_a_version_without_an_answer_is_named():
    given = answers(base="no")
    del given["base"][TASKS[0].id]
    with pytest.raises(BadInput, match=f"base: no answer to '{TASKS[0].id}'"):
        rated_answers.draw_sheet(TASKS, given, len(TASKS), 1)


def test_a_rating_without_versions_says_how():
    with pytest.raises(BadInput, match="VERSION"):
        rated_answers.read_answers(())


def test_alpha_is_the_one_of_krippendorffs_example():
    assert agreement.alpha(OBSERVERS) == pytest.approx(0.815, abs=5e-4)


@pytest.mark.parametrize("seed", range(8))
def test_agreement_is_what_the_libraries_say(seed):
    matrix = agreement.build_matrix(two_raters(seed), ["ann", "ben"])
    alpha = krippendorff.alpha(matrix, level_of_measurement="ordinal", value_domain=range(6))
    assert agreement.alpha(matrix) == pytest.approx(alpha)
    ann, ben = matrix.astype(int)
    assert agreement.kappa(*matrix) == pytest.approx(cohen_kappa_score(ann, ben))
    weighted = cohen_kappa_score(ann, ben, weights="quadratic", labels=range(6))
    assert agreement.kappa(*matrix, 2) == pytest.approx(weighted)
    assert agreement.biases(matrix)[1] == pytest.approx((ben - ann).mean())


def test_the_mean_kappa_is_over_all_pairs():
    table = OBSERVERS[:3]
    pairs = []
    for first, second in combinations(table, 2):
        both = ~np.isnan(first) & ~np.isnan(second)
        pairs.append(cohen_kappa_score(first[both].astype(int), second[both].astype(int)))
    assert agreement.mean_kappa(table) == pytest.approx(np.mean(pairs))


def test_the_interval_of_a_mean_is_scipys():
    values = [float(score) for score in OBSERVERS[1] if score == score]
    low, high = agreement.mean_interval(values, 20_000, 0)
    known = stats.bootstrap((values,), np.mean, method="percentile", rng=0, n_resamples=20_000)
    assert (low, high) == pytest.approx(tuple(known.confidence_interval), abs=0.1)


@pytest.mark.parametrize(
    "table",
    [[[3.0, 3.0], [3.0, 3.0]], [[1.0, NAN], [NAN, 2.0]], [[1.0, 2.0]], np.empty((0, 0))],
    ids=["no variation", "nothing in common", "one rater", "nobody"],
)
def test_what_cannot_be_compared_has_no_alpha(table):
    matrix = agreement.build_matrix({}, []) if len(table) == 0 else np.array(table)
    assert agreement.alpha(matrix) is None
    assert agreement.alpha_interval(matrix, 50, 0) is None


def test_disagreements_are_the_far_ones_and_every_veto_that_not_all_share():
    scores = {
        "far": {"ann": 1, "ben": 4},
        "near": {"ann": 3, "ben": 4},
        "veto": {"ann": 0, "ben": 1},
        "both": {"ann": 0, "ben": 0},
        "alone": {"ann": 0},
    }
    assert agreement.find_disagreements(scores) == ["far", "veto"]


def listed(scores):
    return [RatedAnswer(i, f"house/{i}", i, ("a" if n % 2 else "b",)) for n, i in enumerate(scores)]


def test_the_metrics_of_a_version_are_means_over_its_answers():
    scores = {"x": {"ann": 5, "ben": 4}, "y": {"ann": 0, "ben": 3}, "z": {"ann": 2}}
    rated = [RatedAnswer(i, "house/t", i, ("tuned",)) for i in scores]
    metrics = results.compute_metrics(scores, rated, {}, annotation_data.RATING_CONFIG)
    assert metrics["tuned.n"] == 3
    assert metrics["tuned.mean"] == pytest.approx((4.5 + 1.5 + 2) / 3)
    assert metrics["tuned.usable"] == pytest.approx(1 / 3)
    assert metrics["tuned.veto"] == pytest.approx(1 / 3)
    assert metrics["tuned.mean_low"] <= metrics["tuned.mean"] <= metrics["tuned.mean_high"]


@pytest.mark.parametrize(("noise", "headline"), [(0.2, 1), (1.0, 1), ("random", 0)])
def test_low_alpha_is_not_fit_for_a_headline(noise, headline):
    scores = two_raters(3, 0.2 if noise == "random" else noise)
    if noise == "random":
        rng = random.Random(4)
        scores = {answer: by | {"ben": rng.randrange(6)} for answer, by in scores.items()}
    metrics = results.compute_metrics(scores, listed(scores), {}, annotation_data.RATING_CONFIG)
    assert metrics["headline"] == headline
    assert (metrics["alpha"] >= annotation_data.RATING_CONFIG.min_alpha) == bool(headline)


def test_agreement_on_a_few_answers_is_no_verdict():
    scores = two_raters(1, noise=0.0, count=annotation_data.RATING_CONFIG.shared - 1)
    metrics = results.compute_metrics(scores, listed(scores), {}, annotation_data.RATING_CONFIG)
    assert (metrics["alpha"], metrics["headline"]) == (1.0, 0)


def test_one_rater_alone_is_not_fit_for_a_headline():
    scores = {answer: {"ann": by["ann"]} for answer, by in two_raters(1).items()}
    metrics = results.compute_metrics(scores, listed(scores), {}, annotation_data.RATING_CONFIG)
    assert metrics["headline"] == 0
    assert "alpha" not in metrics


def test_a_judge_is_reported_beside_the_people():
    scores = {answer: {"ann": by["ann"]} for answer, by in two_raters(5).items()}
    judged = {i: Judgement(i, min(5, by["ann"] + 1)) for i, by in scores.items()}
    metrics = results.compute_metrics(scores, listed(scores), judged, annotation_data.RATING_CONFIG)
    assert metrics["judge.n"] == len(scores)
    ann = [by["ann"] for by in scores.values()]
    judge = [judged[i].score for i in scores]
    weighted = cohen_kappa_score(ann, judge, weights="quadratic", labels=range(6))
    assert metrics["judge.kappa_w"] == pytest.approx(weighted)
    assert metrics["judge.usable_agreement"] == pytest.approx(
        np.mean([(a >= 4) == (j >= 4) for a, j in zip(ann, judge, strict=True)])
    )


def test_the_files_are_the_same_bytes_every_time(tmp_path):
    scores = two_raters(2, count=20)
    rated = listed(scores)
    events = [
        Event(answer, who, n, "2026-01-01", after=Rating(score, f"<b>{who}</b>"))
        for n, (answer, by) in enumerate(scores.items(), 1)
        for who, score in by.items()
    ]
    written = []
    for name, order in (("one", events), ("two", events[::-1])):
        paths = tmp_path / f"{name}.json", tmp_path / f"{name}.jsonl"
        results.write(order, rated, {}, annotation_data.RATING_CONFIG, "0123456789abcdef", *paths)
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]
    assert b'"signature.bands:0-5|tasks:10|seed:1|suite:0123456789ab": 1' in written[0][0]
    assert b'"comments":{"ann":"<b>ann</b>"' in written[0][1]
