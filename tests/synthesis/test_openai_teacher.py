"""The openai teacher over a real socket, against a server that fails on cue and counts."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import ChatModel, Reply, Service, UnusableReply
from agent_tuning.records import BadInput, Group, Trajectory, Unfinished
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.openai import OpenAITeacher
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from tests.support import default_data
from tests.support.chat_server import ChatServer

KEY = "sk-test-0123456789abcdef"
MODEL = ChatModel("some-model", True, {"max_tokens": 200, "temperature": 0.5})
PRICE = Price(1.0, 2.0, batch=0.5)
SERVICE = Service(
    "", 8, timeout=5, retries=4, initial_backoff_s=0.01, max_backoff_s=0.05, poll_interval_s=0.01
)
AUTHOR = Author(default_data.teacher())


def requests(count: int) -> list[GroupRequest]:
    """Some English and Chinese ones, with chains among them."""
    planned = default_data.requests()
    return [*planned[: count // 2], *planned[-(count - count // 2) :]]


WANTED = requests(6)
TABLE = default_data.perfect_answers(AUTHOR, WANTED, MODEL)
PERFECT = [default_data.teacher().group(request) for request in WANTED]
ITEMS = sum(len(request.items) for request in WANTED)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def teacher(
    server: ChatServer, store: Path, *, budget: float | None = None, batch: bool = False,
    max_failed: float = 0.0, **service: object,
) -> OpenAITeacher:  # fmt: skip
    used = msgspec.structs.replace(SERVICE, base_url=server.url, **service)
    replay = ReplayTeacher(AUTHOR, MODEL, AnswerStore(store), PRICE)
    return OpenAITeacher(replay, used, budget, batch, max_failed)


def groups(writer: OpenAITeacher | ReplayTeacher) -> list[Group]:
    return [written.group for written in writer.write(WANTED)]


def reasons(writer: OpenAITeacher) -> Counter[str]:
    return Counter(f.reason for written in writer.write(WANTED) for f in written.failures)


def test_it_writes_what_the_model_says_with_the_simulators_results(tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        writer = teacher(server, tmp_path / "store")
        assert groups(writer) == PERFECT
    assert server.answered == dict.fromkeys(TABLE, 1)
    assert writer.usage.requests == len(TABLE)
    assert server.authorizations == {f"Bearer {KEY}"}


FAULTS = {
    "429 with Retry-After": "429",
    "500": "500",
    "503 with Retry-After": "503",
    "dropped connection": "drop",
    "broken JSON": "broken",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_passes_is_tried_again_and_leaves_no_trace(fault, tmp_path):
    with ChatServer(TABLE, faults={0: fault, 5: fault, 6: fault}).running_in_a_thread() as server:
        assert groups(teacher(server, tmp_path / "store")) == PERFECT
    assert server.arrived == len(TABLE) + 3
    assert server.answered == dict.fromkeys(TABLE, 1)


def test_a_slow_answer_counts_as_lost_and_is_asked_for_again(tmp_path):
    with ChatServer(TABLE, faults={3: "slow"}).running_in_a_thread() as server:
        assert groups(teacher(server, tmp_path / "store", timeout=0.5)) == PERFECT
    assert server.arrived == len(TABLE) + 1


@pytest.mark.parametrize("reason", ["length", "content_filter", "refusal"])
def test_an_answer_that_is_none_is_a_named_failure_and_paid_for_once(reason, tmp_path):
    with ChatServer(TABLE, faults={2: reason}).running_in_a_thread() as server:
        assert reasons(teacher(server, tmp_path / "store")) == {reason: 1}
        before = server.arrived
        assert reasons(teacher(server, tmp_path / "store")) == {reason: 1}
    assert server.arrived == before


NO_CALL = {"decision": "no_call", "thought": "t", "text": "no"}
ANSWERS = {
    "malformed": "I would call get_weather.",
    "malformed, another field": '{"query": "x", "why": "y"}',
    "facts_left_out": '{"query": "Please help me."}',
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_query_of_no_use_is_named(name, tmp_path):
    with ChatServer({}, default=ANSWERS[name]).running_in_a_thread() as server:
        counts = reasons(teacher(server, tmp_path / "store"))
    assert counts.keys() <= {name.split(",")[0], "off_plan", "malformed"}
    assert counts[name.split(",")[0]] > 0


def decisions(decision: object) -> Mapping[str, str]:
    """The queries of the perfect model, and this for every decision."""
    answer = json.dumps(decision)
    return {key: text if text.startswith('{"query"') else answer for key, text in TABLE.items()}


DECISIONS = {
    "not_on_menu": {"decision": "call", "calls": [{"name": "launch_rocket", "arguments": {}}]},
    "off_plan": NO_CALL,
    "off_plan, a question": {"decision": "ask", "thought": "t", "text": "Which one?"},
    "malformed": {"decision": "call", "thought": "no calls"},
}


@pytest.mark.parametrize("reason", DECISIONS)
def test_a_decision_of_no_use_is_named(reason, tmp_path):
    with ChatServer(decisions(DECISIONS[reason])).running_in_a_thread() as server:
        assert reasons(teacher(server, tmp_path / "store")) == {reason.split(",")[0]: ITEMS}


def test_calls_at_once_are_written_as_one_decision_and_no_other_way():
    item = TrajectoryRequest("get_current_weather", "in_two_cities", "complex", 0)
    tools = [entry.tool("en") for entry in default_data.CATALOGUE.entries.values()]
    query, both, *reply = AUTHOR.scripted_answers(item, "en")

    def written(*answers: str) -> Trajectory:
        left = iter(answers)
        return AUTHOR.write_positive(
            item, "en", tools, lambda ask: Reply("", ask.name, "", next(left), "stop", 0, 0)
        )

    assert written(query, both, *reply) == default_data.teacher().write_positive(item, "en")
    decided = json.loads(both)
    first = json.dumps({**decided, "calls": decided["calls"][:1]})
    with pytest.raises(UnusableReply, match="off_plan"):
        written(query, first)


def test_no_more_requests_run_at_once_than_allowed(tmp_path):
    with ChatServer(TABLE, delay=0.02).running_in_a_thread() as server:
        groups(teacher(server, tmp_path / "store", concurrency=3))
    assert server.peak == 3


def test_the_store_alone_replays_the_same_groups(tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        first = groups(teacher(server, tmp_path / "store"))
    assert groups(ReplayTeacher(AUTHOR, MODEL, AnswerStore(tmp_path / "store"), PRICE)) == first


def test_a_replay_without_an_answer_names_the_request(tmp_path):
    item = WANTED[0].items[0]
    name = f"{item.tool}.{item.scenario}.en.{item.index} query"
    with pytest.raises(BadInput, match=rf"store: no stored reply to `{name}` \(key \w+\), group"):
        groups(ReplayTeacher(AUTHOR, MODEL, AnswerStore(tmp_path / "store"), PRICE))


@pytest.mark.parametrize("batch", [False, True], ids=["live", "batch"])
def test_the_budget_is_never_overdrawn_and_a_larger_one_goes_on(batch, tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        whole = teacher(server, tmp_path / "other", batch=batch)
        groups(whole)
    half = whole.usage.usd / 2
    with ChatServer(TABLE).running_in_a_thread() as server:
        writer = teacher(server, tmp_path / "store", budget=half, batch=batch)
        with pytest.raises(Unfinished, match=r"chat_model\.budget = .* is too low"):
            writer.write(WANTED)
        paid = sum(PRICE.usage_of(reply).usd for reply in AnswerStore(tmp_path / "store"))
        assert 0 < paid <= half
        more = teacher(server, tmp_path / "store", budget=4 * half, batch=batch)
        assert groups(more) == PERFECT
    assert server.answered == dict.fromkeys(TABLE, 1)
    assert more.usage == whole.usage


def test_an_estimate_asks_nothing_and_bounds_what_is_paid(tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        writer = teacher(server, tmp_path / "store")
        before = writer.estimate(WANTED)
        assert server.arrived == 0
        groups(writer)
        assert before.requests == len(TABLE)
        assert writer.usage.prompt_tokens <= before.prompt_tokens
        assert writer.usage.usd <= before.usd
        assert teacher(server, tmp_path / "store").estimate(WANTED).requests == 0


def test_a_server_that_stays_away_stops_the_run_with_its_reason(tmp_path):
    faults = dict.fromkeys(range(10_000), "500")
    with ChatServer(TABLE, faults=faults).running_in_a_thread() as server:
        writer = teacher(server, tmp_path / "store")
        with pytest.raises(Unfinished, match=r"have no answer; the last error, of .*: HTTP 500"):
            writer.write(WANTED)
    assert server.arrived <= SERVICE.concurrency * (SERVICE.retries + 1)


def test_a_question_without_an_answer_is_a_failure_that_the_next_run_heals(tmp_path):
    faults = dict.fromkeys(range(SERVICE.retries + 1), "500")
    with ChatServer(TABLE, faults=faults).running_in_a_thread() as server:
        writer = teacher(server, tmp_path / "store", concurrency=1, max_failed=0.1)
        assert reasons(writer) == {"unanswered": 1}
        assert groups(teacher(server, tmp_path / "store")) == PERFECT


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [("400", BadInput, "HTTP 400"), ("quota", Unfinished, "as the test asks: quota")],
)
def test_what_waiting_cannot_mend_stops_at_once_and_keeps_what_is_paid(
    fault, kind, words, tmp_path
):
    server = ChatServer(TABLE, faults={4: fault})
    with server.running_in_a_thread(), pytest.raises(kind, match=words):
        teacher(server, tmp_path / "store").write(WANTED)
    assert (
        len(AnswerStore(tmp_path / "store")) == sum(server.answered.values()) == server.arrived - 1
    )


LOST = {1: "expired", 4: "expired", 5: "500"}


def test_a_batch_asks_again_only_for_the_lines_it_lost(tmp_path):
    with ChatServer(TABLE, lost=LOST).running_in_a_thread() as server:
        writer = teacher(server, tmp_path / "store", batch=True)
        assert groups(writer) == PERFECT
    assert server.arrived == 0
    assert server.answered == dict.fromkeys(TABLE, 1)
    stored = AnswerStore(tmp_path / "store")
    full_price = sum(PRICE.cost(r.prompt_tokens, r.completion_tokens) for r in stored)
    assert writer.usage.usd == pytest.approx(full_price / 2)
