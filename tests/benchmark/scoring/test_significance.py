"""Chance is computed as the textbooks do, and the same seed always gives the same number."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from benchmark.scoring import significance

PS = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(lost=st.integers(0, 300), won=st.integers(0, 300))
def test_mcnemar_is_the_exact_binomial_of_the_discordant_pairs(lost: int, won: int) -> None:
    exact = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert significance.mcnemar(lost, won) == pytest.approx(exact, rel=1e-9)


def test_holm_is_what_a_person_computes() -> None:
    assert significance.apply_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )


@given(ps=PS, seed=st.integers())
def test_holm_only_ever_raises_a_p_and_keeps_the_order(ps: list[float], seed: int) -> None:
    corrected = dict(zip(ps, significance.apply_holm(ps), strict=True))
    assert all(p <= corrected[p] <= 1 for p in ps)
    turned = Random(seed).sample(ps, len(ps))
    assert dict(zip(turned, significance.apply_holm(turned), strict=True)) == corrected
    assert sorted(corrected.values()) == [corrected[p] for p in sorted(corrected)]


def test_an_interval_is_as_wide_as_theory_says() -> None:
    values = [float(n % 2) for n in range(400)]
    low, high = significance.mean_interval(values, [str(n) for n in range(400)], 2000, 7)
    half = 1.96 * (0.25 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.008)


def test_groups_that_agree_within_themselves_widen_the_interval() -> None:
    values = [float(n // 20 % 2) for n in range(400)]
    alone = significance.mean_interval(values, [str(n) for n in range(400)], 500, 7)
    together = significance.mean_interval(values, [str(n // 20) for n in range(400)], 500, 7)
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])


def test_a_shift_of_every_group_is_no_chance_and_one_of_both_signs_is() -> None:
    groups = [str(n) for n in range(40)]
    assert significance.sign_flip([0.1] * 40, groups, 999, 7) == 1 / 1000
    assert significance.sign_flip([0.1, -0.1] * 20, groups, 999, 7) == 1
    # one group alone may as well have moved the other way
    assert significance.sign_flip([0.1] * 40, ["one"] * 40, 999, 7) == 1


def test_no_change_is_certainly_chance() -> None:
    assert significance.sign_flip([0.0] * 9, list("aabbccdde"), 99, 7) == 1
    assert significance.mcnemar(0, 0) == 1
