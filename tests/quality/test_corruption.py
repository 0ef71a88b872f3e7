"""Damaged trajectories are found, each for its own reason, and no sound one with them."""

from functools import cache

from tests.support import corruption

verify_all = cache(corruption.verify_all)


def test_all_of_three_hundred_damaged_trajectories_are_found_under_their_reason():
    missed = [
        (damaged.damage, damaged.expected, reason)
        for damaged, reason in verify_all()
        if damaged and reason.partition(":")[0] != damaged.expected
    ]
    assert missed == []
    assert sum(damaged is not None for damaged, _ in verify_all()) == 300


def test_none_of_the_sound_ones_beside_them_is_rejected():
    assert {reason for damaged, reason in verify_all() if damaged is None} == {""}
