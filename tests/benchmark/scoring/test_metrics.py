"""Metrics are hand-computed once, and never depend on the order of the answers."""

import random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.records import Decision
from benchmark.scoring.metrics import (
    collect_intervals,
    compute_breakdown,
    compute_metrics,
    count_confusions,
    sweep_lambda,
)
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.scorers import Score
from benchmark.scoring.task_score import ScoredAnswer


def scored(
    number: int, wanted: Decision, outcome: Verdict, em: int, **changes: Any
) -> ScoredAnswer:
    fields: dict[str, Any] = {
        "suite": "house",
        "model": "tuned",
        "task": f"t{number}",
        "group": f"g{number}",
        "kind": "call",
        "language": "en",
        "template": "plain",
        "tool_format": "openai",
        "reply_format": "react",
        "score": Score(em),
    }
    return ScoredAnswer(wanted=wanted, outcome=outcome, **{**fields, **changes})


FIVE = [
    scored(1, "call", Verdict.CALL, 1, score=Score(1, 0.5, 1.25, 0.8, 0.5, 0.6, 1, 1.0)),
    scored(2, "call", Verdict.CALL, 0, score=Score(0, 0.5, 0.25, 0.0, 0.0, 0.0, 0, 0.5)),
    scored(3, "call", Verdict.NO_CALL, 0, score=Score(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0)),
    scored(4, "no_call", Verdict.NO_CALL, 1, score=Score(1, 1.0, 1.5, 1.0, 1.0)),
    scored(5, "ask", Verdict.CALL, 0, score=Score(0, 0.0, 0.0, 0.0, 0.0), language="zh"),
]


def test_metrics_are_what_a_person_computes() -> None:
    numbers = {
        name: n for name, n in compute_metrics(FIVE).items() if not name.startswith("confusion.")
    }
    assert numbers == {
        "call_exact_match": 0.333333,
        "args_f1": 0.5,
        "ask_em": 0,
        "call_em": 0.333333,
        "answered_rate": 1,
        "em": 0.4,
        "em_macro": 0.666667,
        "error": 0,
        "kagent_plan": 0.3,
        "kagent_tool": 0.2,
        "parse_error_rate": 0,
        "n": 5,
        "no_call_em": 1,
        "false_call_rate": 0.5,
        "incomplete": 0,
        "score": 0.6,
        "score_gated": 0.36,
        "text": 0.4,
        "missed_call_rate": 0.333333,
    }


def test_names_are_sorted_and_values_are_plain_numbers() -> None:
    values = compute_metrics(FIVE)
    assert list(values) == sorted(values)
    assert all(type(value) in (int, float) for value in values.values())


def test_a_metric_without_tasks_is_absent() -> None:
    values = compute_metrics([scored(1, "no_call", Verdict.NO_CALL, 1)])
    assert values["em_macro"] == 1
    assert not values.keys() & {
        "call_em",
        "ask_em",
        "call_exact_match",
        "text",
        "score",
        "missed_call_rate",
    }


def test_refusing_everything_is_half_right_however_many_refusals_are_due() -> None:
    refusals = [scored(n, "no_call", Verdict.NO_CALL, 1) for n in range(4)]
    values = compute_metrics([*refusals, scored(9, "call", Verdict.NO_CALL, 0)])
    assert (values["em"], values["em_macro"]) == (0.8, 0.5)


def test_a_missing_answer_lowers_coverage_and_counts_as_an_error() -> None:
    gone = scored(1, "call", Verdict.ERROR, 0, missing=True)
    broken = scored(2, "call", Verdict.ERROR, 0)
    values = compute_metrics([gone, broken, *FIVE[2:4]])
    assert (values["answered_rate"], values["error"], values["n"]) == (0.75, 0.5, 4)


def test_one_answer_that_was_not_heard_marks_a_run_as_partial() -> None:
    heard = [scored(n, "call", Verdict.MALFORMED, 0) for n in range(99)]
    gone = scored(99, "call", Verdict.ERROR, 0, missing=True)
    assert [compute_metrics(rows)["incomplete"] for rows in (heard, [*heard, gone])] == [0, 1]


def test_malformed_is_neither_a_call_nor_a_refusal() -> None:
    rows = [scored(1, "call", Verdict.MALFORMED, 0), scored(2, "no_call", Verdict.MALFORMED, 0)]
    values = compute_metrics(rows)
    assert (values["parse_error_rate"], values["false_call_rate"], values["missed_call_rate"]) == (
        1,
        0,
        0,
    )


def test_the_confusion_matrix_counts_every_pair() -> None:
    counts = count_confusions(FIVE)
    assert counts["call", "no_call"] == 1
    assert counts["ask", "call"] == 1
    assert counts["ask", "error"] == 0
    assert sum(counts.values()) == 5
    assert len(counts) == 3 * 5
    assert compute_metrics(FIVE)["confusion.call.no_call"] == 1
    assert not [name for name in compute_metrics(FIVE[:3]) if name.startswith("confusion.ask")]


def test_the_sweep_is_em_plus_lambda_times_text() -> None:
    assert [(row.lam, row.score) for row in sweep_lambda(FIVE, (0, 0.5, 2))] == [
        (0, 0.4),
        (0.5, 0.6),
        (2, 1.2),
    ]


def test_a_suite_without_descriptions_has_no_sweep() -> None:
    assert sweep_lambda([scored(1, "call", Verdict.CALL, 1)], (0, 1)) == []


def test_the_breakdown_has_every_slice_with_its_own_mean() -> None:
    rows = {(row.slice, row.value): row for row in compute_breakdown(FIVE, 200, 7)}
    assert (rows["all", "all"].n, rows["all", "all"].em) == (5, 0.4)
    assert (rows["wanted", "call"].n, rows["wanted", "call"].em) == (3, 0.333333)
    assert (rows["language", "zh"].n, rows["language", "zh"].em) == (1, 0)
    assert rows["all", "all"].score == 0.6
    assert {name for name, _ in rows} == {
        *("all", "wanted", "kind", "language", "template", "tool_format", "reply_format")
    }


def test_an_interval_holds_its_mean_and_is_as_wide_as_theory_says() -> None:
    rows = [scored(n, "call", Verdict.CALL, n % 2) for n in range(400)]
    whole = compute_breakdown(rows, 2000, 7)[0]
    half = 1.96 * (0.25 / 400) ** 0.5
    assert whole.low == pytest.approx(0.5 - half, abs=0.008)
    assert whole.high == pytest.approx(0.5 + half, abs=0.008)


def test_tasks_of_a_group_are_resampled_together() -> None:
    alone = [scored(n, "call", Verdict.CALL, n // 20 % 2) for n in range(400)]
    together = [
        scored(n, "call", Verdict.CALL, n // 20 % 2, group=f"{n // 20}") for n in range(400)
    ]
    narrow, wide = (compute_breakdown(rows, 500, 7)[0] for rows in (alone, together))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_one_group_alone_has_no_interval_to_speak_of() -> None:
    row = compute_breakdown([scored(1, "call", Verdict.CALL, 1)], 100, 7)[0]
    assert (row.low, row.em, row.high) == (1, 1, 1)


def test_the_gap_of_an_axis_is_seen_minus_unseen() -> None:
    rows = [
        scored(n, "call", Verdict.CALL, int(n < 30), axes={"tool": "seen" if n < 20 else "unseen"})
        for n in range(40)
    ]
    values = {row.value: row for row in compute_breakdown(rows, 500, 7) if row.slice == "axis.tool"}
    assert (values["seen"].em, values["unseen"].em, values["gap"].em) == (1, 0.5, 0.5)
    assert values["gap"].n == 20
    assert 0.2 < values["gap"].low < 0.5 < values["gap"].high < 0.8
    gap = values["gap"]
    assert collect_intervals([gap]) == {
        "gap.tool": 0.5,
        "gap.tool.low": gap.low,
        "gap.tool.high": gap.high,
    }


ROWS = st.lists(
    st.builds(
        scored,
        st.integers(0, 10**6),
        st.sampled_from(get_args(Decision)),
        st.sampled_from(list(Verdict)),
        st.integers(0, 1),
        group=st.sampled_from("abc"),
        axes=st.dictionaries(
            st.sampled_from(["tool", "query"]), st.sampled_from(["seen", "unseen"])
        ),
        score=st.builds(Score, st.integers(0, 1), *[st.none() | st.floats(0, 1)] * 7),
    ),
    max_size=12,
    unique_by=lambda row: row.task,
)


@given(rows=ROWS, seed=st.integers())
def test_the_order_of_answers_changes_nothing(rows: list[ScoredAnswer], seed: int) -> None:
    turned = list(rows)
    random.Random(seed).shuffle(turned)
    assert compute_metrics(rows) == compute_metrics(turned)
    assert compute_breakdown(rows, 20, 7) == compute_breakdown(turned, 20, 7)
    assert sweep_lambda(rows, (0, 1)) == sweep_lambda(turned, (0, 1))


@given(rows=ROWS)
def test_rates_are_from_0_to_1(rows: list[ScoredAnswer]) -> None:
    values = compute_metrics(rows)
    counts = ("n", "confusion")
    assert all(0 <= n <= 1 for name, n in values.items() if name.split(".")[0] not in counts)
    for row in compute_breakdown(rows, 20, 7):
        assert row.low <= row.high
