"""Killed runs resume; `python -m tests.support.crash_injection` kills them more often."""

import pytest

from tests.support import crash_injection, training_ranks


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    target = tmp_path_factory.mktemp("crashes") / "inputs"
    return training_ranks.make_inputs(target, epochs=6, save_steps=3)


@pytest.mark.parametrize("world", [1, 2])
def test_a_run_killed_at_random_steps_ends_with_the_bytes_of_an_uninterrupted_one(
    inputs, tmp_path, world
):
    rounds = list(crash_injection.inject_crashes(inputs, tmp_path, world, rounds=3, seed=2))
    assert [start.problems for start in rounds] == [[]] * len(rounds)
    assert rounds[-1].resumed > 0
    signals = {start.injection.signal.name for start in rounds if start.injection}
    assert signals == {"SIGKILL", "SIGUSR1"}
