"""Packs: nothing lost, nothing twice, nothing too long, whatever stands in a row."""

import random
import tempfile
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.tokens import pack_file, packing
from agent_tuning.tokens.pack_file import Pack
from agent_tuning.tokens.packing import GroupLengths, WeightedTokens
from agent_tuning.tokens.token_store import TokenStore

MAX_LEN = 60
EVERY = pytest.mark.parametrize("kind", packing.PACKINGS)
Groups = list[tuple[list[int], list[WeightedTokens]]]  # of each group: its prefix, its branches


def branch(marker: int, length: int) -> WeightedTokens:
    """A branch whose tokens all carry its marker; its last half is trained."""
    return WeightedTokens([marker] * length, [float(i >= length // 2) for i in range(length)])


@st.composite
def some_groups(draw) -> Groups:
    marker = 1000
    made = []
    for _ in range(draw(st.integers(1, 6))):
        branches = []
        for length in draw(st.lists(st.integers(2, 70), min_size=1, max_size=5)):
            marker += 1
            branches.append(branch(marker, length))
        made.append(([draw(st.integers(0, 2))] * draw(st.integers(1, 30)), branches))
    return made


def rows(groups: Groups, kind: str = "shared", seed: int = 0, max_len: int = MAX_LEN) -> list[Pack]:
    with tempfile.TemporaryFile() as file:
        store = TokenStore(file)
        lengths = [store.add(prefix, branches) for prefix, branches in groups]
        bins = packing.plan_packs(lengths, kind, max_len, seed)
        return [packing.build_pack(one, store.read) for one in bins]


@EVERY
@given(groups=some_groups(), seed=st.integers(0, 3))
def test_every_branch_that_fits_stands_once_and_whole(kind, groups, seed):
    found = Counter(token for row in rows(groups, kind, seed) for token in row.ids if token > 1000)
    whole = [(prefix, b) for prefix, branches in groups for b in branches]
    assert found == {b.ids[0]: len(b.ids) for prefix, b in whole if len(prefix + b.ids) <= MAX_LEN}


@EVERY
@given(groups=some_groups())
def test_no_row_is_longer_than_allowed(kind, groups):
    assert all(len(row.ids) <= MAX_LEN for row in rows(groups, kind))


@EVERY
@given(groups=some_groups())
def test_every_branch_comes_after_its_own_prefix(kind, groups):
    own = {b.ids[0]: prefix for prefix, branches in groups for b in branches}
    for row in rows(groups, kind):
        position = 0
        for span in row.spans:
            prefix = row.ids[position : position + span.prefix]
            position += span.prefix
            for length in span.branches:
                assert own[row.ids[position]] == prefix
                assert len(set(row.ids[position : position + length])) == 1
                position += length


@EVERY
@given(groups=some_groups())
def test_spans_cover_the_row_and_positions_restart_at_every_branch(kind, groups):
    for row in rows(groups, kind):
        assert sum(span.tokens for span in row.spans) == len(row.ids) == len(row.weights)
        for span in row.spans:
            positions = list(span.positions())
            assert positions.count(span.prefix) == len(span.branches)


@EVERY
@given(groups=some_groups())
def test_every_token_keeps_its_weight(kind, groups):
    weights = {b.ids[0]: b.weights for _, branches in groups for b in branches}
    for row in rows(groups, kind):
        position = 0
        for span in row.spans:
            assert not any(row.weights[position : position + span.prefix])
            position += span.prefix
            for length in span.branches:
                branch_weights = row.weights[position : position + length]
                assert branch_weights == weights[row.ids[position]]
                position += length


@EVERY
@given(groups=some_groups())
def test_the_order_depends_on_the_seed_and_not_on_the_input(kind, groups):
    assert rows(groups, kind, seed=5) == rows(groups[::-1], kind, seed=5)


@given(some_groups())
def test_rows_hold_one_trajectory_without_packing_and_more_in_plain_packs(groups):
    assert all(len(row.spans) == len(row.spans[0].branches) == 1 for row in rows(groups, "none"))
    assert all(len(span.branches) == 1 for row in rows(groups, "plain") for span in row.spans)


def test_a_group_that_is_too_large_is_split_and_its_prefix_repeated():
    made = rows([([7] * 20, [branch(1001, 30), branch(1002, 30)])])
    assert [row.ids[:20] for row in made] == [[7] * 20, [7] * 20]


def test_a_prefix_is_repeated_as_seldom_as_may_be():
    lengths = [30, 10, 30, 10]  # one after another they would need three rows
    made = rows([([7] * 20, [branch(1001 + n, length) for n, length in enumerate(lengths)])])
    assert sorted(row.spans[0].branches for row in made) == [(30, 10), (30, 10)]


def test_groups_under_one_prompt_become_one_and_others_stay_apart():
    (row,) = rows(
        [([7, 8], [branch(1001, 3)]), ([7, 9], [branch(1002, 3)]), ([7, 8], [branch(1003, 3)])]
    )
    assert sorted(span.branches for span in row.spans) == [(3,), (3, 3)]


def test_bins_are_filled_by_whatever_leaves_the_least_free():
    assert packing.best_fit_bins([5, 6, 3, 4, 2], 10) == [[1, 3], [0, 2, 4]]
    # Best fit decreasing would put 5 beside 6 and need three bins.
    assert packing.best_fit_bins([6, 5, 4, 4, 3, 2], 12) == [[0, 3, 5], [1, 2, 4]]


@given(st.lists(st.integers(1, 50), max_size=200))
def test_bins_hold_every_size_once_and_no_more_than_their_room(sizes):
    bins = packing.best_fit_bins(sizes, 50)
    assert sorted(index for one in bins for index in one) == list(range(len(sizes)))
    assert all(sum(sizes[index] for index in one) <= 50 for one in bins)


def test_groups_much_smaller_than_a_row_fill_it():
    draw = random.Random(0)
    sizes = [draw.randrange(200, 1500) for _ in range(1000)]
    bins = packing.best_fit_bins(sizes, 8192)
    assert sum(sizes) / (len(bins) * 8192) > 0.98


@given(st.lists(st.integers(1, 9)), st.lists(st.integers(1, 9), min_size=1))
def test_pairs_are_the_queries_and_keys_that_see_each_other(prefixes, branches):
    for prefix in prefixes:
        pairs = sum(range(1, prefix + 1))
        pairs += sum(prefix + own for length in branches for own in range(1, length + 1))
        assert pack_file.Span(prefix, tuple(branches)).attention_pairs == pairs


def test_a_token_store_returns_what_was_added_and_keeps_a_prompt_once():
    with tempfile.TemporaryFile() as file:
        store = TokenStore(file)
        first = store.add([1, 2], [WeightedTokens([3, 4], [0.0, 2.5])])
        second = store.add([1, 2], [WeightedTokens([49_151], [1.0])])
        assert isinstance(first, GroupLengths)
        assert first.prefix == second.prefix
        assert store.read(first.prefix) == WeightedTokens([1, 2], [0.0, 0.0])
        assert store.read(first.branches[0]) == WeightedTokens([3, 4], [0.0, 2.5])
        assert store.read(second.branches[0]) == WeightedTokens([49_151], [1.0])
