"""Odd servers, keys and URLs: no answer that was paid for is lost, and no wait is endless."""

import asyncio
import re
import time
from pathlib import Path

import msgspec
import pytest

from agent_tuning.chat_model.client import Client, RetriesExhausted, read_retry_after
from agent_tuning.chat_model.messages import Ask, ChatModel, Completion, Message, Reply, Service
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import BadInput
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig, ServerConfig
from benchmark.engines.openai_engine import OpenAIEngine
from benchmark.engines.predict import predict
from tests.support.chat_server import ChatServer

SECRET = "sk-test-0123456789abcdef"
MODEL = ChatModel("m", False, {"max_tokens": 100})
REQUEST = MODEL.build_request(Ask("a question", (Message("user", "Hello?"),), {}))
QUICK = Service(
    "", 4, timeout=5, retries=1, initial_backoff_s=0.01, max_backoff_s=0.2, poll_interval_s=1
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)


def ask(server: ChatServer) -> Reply:
    async def send() -> Reply:
        client = Client(msgspec.structs.replace(QUICK, base_url=server.url))
        async with client.api:
            return await client.ask(REQUEST)

    return asyncio.run(send())


@pytest.mark.parametrize("key", ["x", "test", "content", "assistant", "Oslo", "12345678"])
def test_a_short_key_is_not_masked_in_answers(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    answer = f"The text {key} contains x, a test and 12345678."
    with ChatServer({}, default=answer).running_in_a_thread() as server:
        assert ask(server).content == answer


def test_a_key_that_is_a_secret_is_masked_in_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (SECRET, 'sk-with-"quotes"-and-\\'):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with ChatServer({}, default=f"It is {key}.").running_in_a_thread() as server:
            assert ask(server).content == "It is [key]."


@pytest.mark.parametrize("key", ["x", SECRET])
def test_no_error_shows_a_key_however_short(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with (
        ChatServer({}, faults={0: "echo", 1: "echo"}).running_in_a_thread() as server,
        pytest.raises(RetriesExhausted) as error,
    ):
        ask(server)
    assert re.search(r"authorization: bearer \[key\]", str(error.value), re.IGNORECASE)


@pytest.mark.parametrize("asked", ["86400", "inf", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_server_can_make_a_run_wait_longer_than_its_longest_backoff(asked: str) -> None:
    server = ChatServer({}, default="Yes.", faults={0: "429"}, retry_after=asked)
    started = time.monotonic()
    with server.running_in_a_thread():
        assert ask(server).content == "Yes."
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("asked", ["nan", "Mon, 99 Foo 99999", "\x00", "-inf"])
def test_a_retry_after_that_means_nothing_is_no_wait(asked: str) -> None:
    assert read_retry_after({"retry-after": asked}) == 0


ODD_COMPLETIONS = {
    "parts": b'{"choices": [{"message": {"content": [{"type": "text", "text": "Yes."}]}}]}',
    "texts": b'{"choices": [{"message": {"content": ["Y", "es."]}}]}',
    "null usage": b'{"choices": [{"message": {"content": "Yes."}}], "usage": null}',
    "half a usage": b'{"choices": [{"message": {"content": "Yes."}}], "usage": {"total": 3}}',
    "null numbers": b'{"choices": [{"message": {"content": "Yes."}}],'
    b' "usage": {"prompt_tokens": null, "completion_tokens": 3.0}}',
    "negative numbers": b'{"choices": [{"message": {"content": "Yes."}}],'
    b' "usage": {"prompt_tokens": -5, "completion_tokens": -1}}',
    "null model": b'{"choices": [{"message": {"content": "Yes."}}], "model": null}',
    "byte-order mark": b'\xef\xbb\xbf{"choices": [{"message": {"content": "Yes."}}]}',
    "half a surrogate": b'{"choices": [{"message": {"content": "Yes.\\ud83d"}}]}',
    "not UTF-8": b'{"choices": [{"message": {"content": "Yes.\xff"}}]}',
    "more fields": b'{"choices": [{"message": {"content": "Yes.", "x": [{}]}, "y": 1}], "z": {}}',
}


@pytest.mark.parametrize("name", ODD_COMPLETIONS)
def test_a_completion_in_an_odd_form_is_read_and_not_paid_for_again(name: str) -> None:
    client = Client(msgspec.structs.replace(QUICK, base_url="http://127.0.0.1:1/v1"))
    reply = client.decode(ODD_COMPLETIONS[name], Completion).to_reply(REQUEST)
    assert reply.content.startswith("Yes.")
    assert 0 <= reply.prompt_tokens <= REQUEST.prompt_tokens
    assert reply.completion_tokens in (3, MODEL.max_tokens)


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 100_000, b'{"a":' * 50_000, b"<html>", b'{"choices": []}', b"null", b'"\\ud"'],
)
def test_what_is_no_completion_is_said_in_one_line(body: bytes) -> None:
    client = Client(msgspec.structs.replace(QUICK, base_url="http://127.0.0.1:1/v1"))
    with pytest.raises(msgspec.DecodeError) as error:
        client.decode(body, Completion)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:99999/v1", "http://[::1", "ftp://h", "h", "http://", "http://h:p/", "\x00"],
)
def test_a_base_url_that_cannot_work_is_one_line(url: str) -> None:
    with pytest.raises(BadInput, match=r"^base URL .*: expected such as http://localhost:8000/v1"):
        Client(msgspec.structs.replace(QUICK, base_url=url))


def build_engine(base: Path, server: ChatServer, **changes: object) -> OpenAIEngine:
    service = msgspec.structs.replace(QUICK, base_url=server.url, **changes)
    settings = PredictConfig(
        "openai", 8, 3, 4, 1, ServerConfig({"tuned": "m"}, "max_tokens", {}), service
    )
    return OpenAIEngine(base, "tuned", settings)


def number_questions(base: Path, count: int) -> list[QuestionGroup]:
    from agent_tuning.tokens.chat_template import ChatTokenizer

    chat = ChatTokenizer(base / "tokenizer.json")
    ids = (chat.start, *chat.tokenizer.encode("user\nHi.").ids, chat.end)
    return [QuestionGroup("g", ("",), (), {f"t{number:02}": ids for number in range(count)})]


def test_answers_that_came_before_a_rejected_request_are_kept(base: Path, tmp_path: Path) -> None:
    """A 401 ends the run; the next run asks the other questions only."""
    log = tmp_path / "log.jsonl"
    groups = number_questions(base, 20)
    with ChatServer({}, default="Yes.", faults={9: "refused"}).running_in_a_thread() as server:
        with pytest.raises(BadInput, match="HTTP 401"):
            predict(build_engine(base, server, concurrency=1), groups, log, "tuned")
        kept = log.read_bytes()
        assert len(kept.splitlines()) == 9
        answers, failed = predict(build_engine(base, server), groups, log, "tuned")
    assert failed == {}
    assert answers == {f"t{n:02}": Answer(f"t{n:02}", "Yes.") for n in range(20)}
    assert log.read_bytes().startswith(kept)
    assert server.arrived == 21  # no question was paid for twice


def test_a_slow_answer_does_not_hold_back_the_others(base: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with ChatServer({}, default="Yes.", faults={0: "slow"}).running_in_a_thread() as server:
        engine = build_engine(base, server, timeout=1.0, retries=0)
        answers, failed = predict(engine, number_questions(base, 12), log, "tuned")
    assert len(answers) == 11
    assert len(failed) == 1
    assert server.peak <= QUICK.concurrency
