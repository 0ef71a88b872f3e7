"""How well word overlap tells calls from no calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.quality.lexical_auc import compute_auc, compute_lexical_auc
from agent_tuning.records import Assistant, Call, Group, PromptSpec, Tool, Trajectory, User

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=8)
MENU = (Tool("get_weather", "Weather of a city.", {}), Tool("add_days", "A date later.", {}))


def asked(query: str, *calls: Call) -> Trajectory:
    turn = Assistant("call" if calls else "no_call", calls=calls)
    return Trajectory(query, (User(query), turn), "call", "en")


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"),
    [
        ([3, 4], [1, 2], 1.0),
        ([1, 2], [3, 4], 0.0),
        ([1, 1], [1, 1, 1], 0.5),
        ([2, 3], [1, 2], 0.875),
        ([], [1, 2], 0.5),
    ],
    ids=["apart", "upside down", "ties", "3.5 of 4 pairs", "no pair"],
)
def test_it_is_the_share_of_pairs_in_the_right_order(positives, negatives, expected):
    assert compute_auc(positives, negatives) == expected


@given(positives=SCORES, negatives=SCORES)
def test_it_counts_every_pair_and_ties_half(positives, negatives):
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    assert compute_auc(positives, negatives) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize(
    ("negative", "expected"),
    [("Tell me a joke", 1.0), ("Weather of a city", 0.5)],
    ids=["easy", "the same words"],
)
def test_negatives_are_hard_when_they_share_the_words_of_a_tool(negative, expected):
    positive = asked("Weather of a city", Call("get_weather"))
    assert (
        compute_lexical_auc([Group("g", PromptSpec("g", "en", MENU), (positive, asked(negative)))])
        == expected
    )
