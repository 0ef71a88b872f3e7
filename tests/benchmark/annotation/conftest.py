"""One browser for all tests of the pages."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from tests.support.browser import start_browser

    with start_browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started
