"""A model that was overfitted on twenty conversations, and a server of it: made once."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from benchmark.serving import server_process
from tests.support import overfitted_model


@pytest.fixture(scope="session")
def overfitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overfitted") / "model"
    overfitted_model.write_model(folder)
    return folder


@pytest.fixture(scope="session")
def url(overfitted: Path) -> Iterator[str]:
    with server_process.running(overfitted) as address:
        yield address


@pytest.fixture(scope="session")
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=300)
