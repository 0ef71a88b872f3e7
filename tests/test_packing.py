"""Bins of whole groups: nothing lost, nothing twice, nothing too long."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trajectory import packing
from trajectory.packing import IGNORED, Branch, EncodedGroup

MAX_LEN = 60


def branch(marker: int, length: int) -> Branch:
    """A branch whose tokens all carry its marker; its last half is trained."""
    trained = [index >= length // 2 for index in range(length)]
    return Branch([marker] * length, trained, [1.0] * length)


@st.composite
def some_groups(draw):
    marker = 1000
    made = []
    for number in range(draw(st.integers(1, 6))):
        branches = []
        for length in draw(st.lists(st.integers(2, 70), min_size=1, max_size=5)):
            marker += 1
            branches.append(branch(marker, length))
        made.append(EncodedGroup(f"g{number}", [number] * draw(st.integers(1, 30)), branches))
    return made


def markers(rows: list[packing.Pack]) -> Counter[int]:
    """How many tokens of every branch stand in the rows."""
    return Counter(token for row in rows for token in row.ids if token > 1000)


@given(some_groups(), st.integers(0, 3))
def test_every_branch_that_fits_stands_once_and_whole(groups, seed):
    fits, dropped = packing.fitting(groups, MAX_LEN)
    rows = packing.packs(fits, MAX_LEN, seed)
    whole = {b.ids[0]: len(b.ids) for g in groups for b in g.branches}
    short = {
        b.ids[0]: len(b.ids) for g in groups for b in g.branches if len(g.prefix + b.ids) <= MAX_LEN
    }
    assert markers(rows) == short
    assert dropped == len(whole) - len(short)


@given(some_groups())
def test_no_row_is_longer_than_allowed(groups):
    fits, _ = packing.fitting(groups, MAX_LEN)
    assert all(len(row.ids) <= MAX_LEN for row in packing.packs(fits, MAX_LEN, 0))


@given(some_groups())
def test_spans_cover_the_row_and_positions_restart_at_every_branch(groups):
    fits, _ = packing.fitting(groups, MAX_LEN)
    for row in packing.packs(fits, MAX_LEN, 0):
        assert sum(span.tokens for span in row.spans) == len(row.ids) == len(row.labels)
        for span in row.spans:
            positions = list(span.positions())
            assert positions.count(span.prefix) == len(span.branches)


@given(some_groups())
def test_labels_are_the_trained_ids_and_nothing_else(groups):
    fits, _ = packing.fitting(groups, MAX_LEN)
    for row in packing.packs(fits, MAX_LEN, 0):
        pairs = zip(row.ids, row.labels, strict=True)
        assert all(label in (IGNORED, token) for token, label in pairs)
        assert any(label != IGNORED for label in row.labels)


@given(some_groups())
def test_the_order_depends_on_the_seed_and_not_on_the_input(groups):
    fits, _ = packing.fitting(groups, MAX_LEN)
    again, _ = packing.fitting(groups[::-1], MAX_LEN)
    assert {str(row) for row in packing.packs(fits, MAX_LEN, 5)} == {
        str(row) for row in packing.packs(again, MAX_LEN, 5)
    }
    assert packing.packs(fits, MAX_LEN, 5) == packing.packs(fits, MAX_LEN, 5)


def test_a_group_that_is_too_large_is_split_and_its_prefix_repeated():
    group = EncodedGroup("g", [7] * 20, [branch(1001, 30), branch(1002, 30)])
    fits, dropped = packing.fitting([group], MAX_LEN)
    assert [part.prefix for part in fits] == [[7] * 20, [7] * 20]
    assert dropped == 0


def test_groups_under_one_prompt_become_one_and_others_stay_apart():
    groups = [
        EncodedGroup("a", [7, 8], [branch(1001, 3)]),
        EncodedGroup("b", [7, 9], [branch(1002, 3)]),
        EncodedGroup("c", [7, 8], [branch(1003, 3)]),
    ]
    made = packing.joined(groups)
    assert [(one.id, [b.ids[0] for b in one.branches]) for one in made] == [
        ("a", [1001, 1003]),
        ("b", [1002]),
    ]
    assert [len(group.branches) for group in groups] == [1, 1, 1]  # what came in is as it was
