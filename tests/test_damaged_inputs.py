"""A damaged file of any kind is one clear line or rightly accepted: no traceback, no hang.

`python -m tests.support.damaged_inputs SEED 16` reads 400 of them.
"""

import pytest

from tests.support import damaged_inputs
from tests.support.damaged_inputs import DAMAGES, KINDS


@pytest.mark.parametrize("seed", [3])
def test_damaged_files_of_every_kind_are_one_line_or_accepted(seed: int) -> None:
    outcomes = list(damaged_inputs.read_damaged(seed, 3))
    assert len(outcomes) == 3 * len(KINDS)
    assert [outcome for outcome in outcomes if outcome.result in ("traceback", "hang")] == []
    assert sum(outcome.result == "one line" for outcome in outcomes) > len(KINDS)


def test_there_are_enough_kinds_and_damages_for_400_files() -> None:
    assert len(KINDS) >= 25
    assert len(DAMAGES) >= 16
