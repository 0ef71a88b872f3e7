"""What the pages of several rooms are tested with."""

import pytest

from agent_tuning.records import BadInput
from tests.support import axe


@pytest.fixture(scope="session")
def axe_script() -> str:
    try:
        return axe.fetch_axe()
    except BadInput as error:
        pytest.skip(f"NO AXE: {error}")
