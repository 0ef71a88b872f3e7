"""The parts of the proof on a GPU run on a CPU too, on small shapes."""

import pytest

from tests.perf import gpu_proof


@pytest.mark.parametrize("name", gpu_proof.PARTS)
def test_a_part_of_the_proof_finds_the_code_right(name):
    found = list(gpu_proof.PARTS[name]())
    assert found
    assert all(facts.get("right", True) for facts in found), found
    losses = {facts["first_loss"] for facts in found if "first_loss" in facts}
    assert len(losses) <= 1
