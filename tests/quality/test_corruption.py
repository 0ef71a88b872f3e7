"""Damaged trajectories are found, each for its own reason, and no sound one with them."""

from functools import cache

from tests.support import corruption

found = cache(corruption.verify_all)


def test_all_of_three_hundred_damaged_trajectories_are_found_under_their_reason():
    wrong = [
        (one.damage, one.expected, reason)
        for one, reason in found()
        if one and reason.partition(":")[0] != one.expected
    ]
    assert wrong == []
    assert sum(one is not None for one, _ in found()) == 300


def test_none_of_the_sound_ones_beside_them_is_rejected():
    assert {reason for one, reason in found() if one is None} == {""}
