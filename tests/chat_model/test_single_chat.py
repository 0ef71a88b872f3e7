"""One question at a time to a real server on loopback: paid once, within the budget."""

from pathlib import Path

import msgspec
import pytest

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import ChatModel, Service
from agent_tuning.chat_model.single_chat import SingleChat
from agent_tuning.records import Unfinished
from tests.support.chat_server import ChatServer

MODEL = ChatModel("tiny", structured=False, sampling={"max_tokens": 50})
SERVICE = Service("", 1, 5.0, 1, 0.01, 0.01, 1.0)
HELLO = [{"role": "user", "content": "hello"}]


def completing(server: ChatServer, store: Path, limit: float | None = None) -> SingleChat:
    service = msgspec.structs.replace(SERVICE, base_url=server.url)
    return SingleChat(MODEL, service, Price(1.0, 1.0), limit, AnswerStore(store))


def test_a_chat_model_over_a_socket_is_paid_once_for_the_same_words(tmp_path):
    with ChatServer({}, default="hi").running_in_a_thread() as server:
        for _ in range(2):
            with completing(server, tmp_path / "store") as model:
                assert [model.complete(HELLO), model.complete(HELLO)] == ["hi", "hi"]
    assert server.arrived == 1


def test_a_budget_that_does_not_reach_asks_nothing(tmp_path):
    with ChatServer({}).running_in_a_thread() as server:
        with completing(server, tmp_path / "store", 0.0) as model, pytest.raises(Unfinished):
            model.complete(HELLO)
        assert server.arrived == 0


def test_a_server_that_never_answers_ends_the_run_cleanly(tmp_path):
    faults = dict.fromkeys(range(4), "500")
    with ChatServer({}, faults=faults).running_in_a_thread() as server:
        with (
            completing(server, tmp_path / "store") as model,
            pytest.raises(Unfinished, match="500"),
        ):
            model.complete(HELLO)
        assert server.arrived == SERVICE.retries + 1
