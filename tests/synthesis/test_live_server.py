"""The openai teacher and a real model behind a real server: SmolLM2 and `transformers serve`.

What so small a model says is mostly of no use. What counts is that the client speaks to the server,
that answers are checked, kept and counted, and that every failure has a name.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import ChatModel, Service
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.openai import OpenAITeacher
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from tests.support import default_data

BASE = Path("data/base")
NEEDED = ("fastapi", "uvicorn")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BASE.exists(), reason="no data/base: dvc repro fetch"),
    pytest.mark.skipif(
        not all(map(find_spec, NEEDED)), reason=f"transformers serve needs {NEEDED}"
    ),
]
MODEL = ChatModel(str(BASE), False, {"max_tokens": 40, "temperature": 0.7, "seed": 1})
NAMED = {"length", "malformed", "facts_left_out", "off_plan", "schema", "not_on_menu"}


def listening(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    command = [Path(sys.executable).parent / "transformers", "serve", str(BASE), "--device", "cpu"]
    with subprocess.Popen(
        [*command, "--host", host, "--port", str(port)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    ) as server:
        deadline = time.monotonic() + 300
        while not listening(host, port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield f"http://{host}:{port}/v1"
        server.kill()


def test_every_answer_of_a_real_model_is_a_trajectory_or_a_named_failure(url, tmp_path):
    service = Service(
        url, 2, timeout=300, retries=1, initial_backoff_s=1, max_backoff_s=1, poll_interval_s=1
    )
    request = msgspec.structs.replace(
        default_data.requests()[0], items=default_data.requests()[0].items[:2]
    )
    replay = ReplayTeacher(
        Author(default_data.teacher()), MODEL, AnswerStore(tmp_path / "store"), Price(0.0, 0.0)
    )
    (written,) = OpenAITeacher(replay, service, None, False, 0.0).write([request])
    assert len(written.group.trajectories) + len(written.failures) == 2
    assert {failure.reason for failure in written.failures} <= NAMED
    replies = list(AnswerStore(tmp_path / "store"))
    assert len(replies) == replay.usage.requests >= 2
    assert all(r.prompt_tokens > 50 and r.completion_tokens > 0 and r.served for r in replies)
    again = ReplayTeacher(replay.author, MODEL, AnswerStore(tmp_path / "store"), replay.price)
    assert list(again.write([request])) == [written]
