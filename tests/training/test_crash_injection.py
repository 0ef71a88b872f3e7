"""Runs that are hit go on; `python -m tests.support.crash_injection` hits them more often."""

import pytest

from tests.support import crash_injection, training_ranks


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return training_ranks.folder(tmp_path_factory.mktemp("faults") / "made", epochs=6, save_steps=3)


@pytest.mark.parametrize("world", [1, 2])
def test_a_run_hit_at_random_steps_ends_as_the_uninterrupted_one(made, tmp_path, world):
    rounds = list(crash_injection.survive(made, tmp_path, world, rounds=3, seed=2))
    assert [one.wrong for one in rounds] == [[]] * len(rounds)
    assert rounds[-1].resumed > 0
    assert {one.hit.how.name for one in rounds if one.hit} == {"SIGKILL", "SIGUSR1"}
