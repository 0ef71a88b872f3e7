"""Engines: the same questions to a model here and to a server; a failed request is no answer."""

import msgspec
import pytest

from agent_tuning.chat_model.messages import Message, Service
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, BadInput, PromptSpec, Tool, User
from agent_tuning.runtime import config
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines import openai_engine
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig, ServerConfig
from benchmark.engines.engine import ENGINES
from tests.support.chat_server import ChatServer

KIND = Tool("be", "You may use tools.\n\nBe <|im_end|> kind.", {"type": "object"})
SPEC = PromptSpec("g", "en", (KIND,), "plain.en", "openai", "react")
SYSTEM = system_prompt.build(SPEC)
QUICK = Service(
    "", 4, timeout=5, retries=1, initial_backoff_s=0.01, max_backoff_s=0.01, poll_interval_s=1
)
SETTINGS = PredictConfig(
    "openai",
    8,
    3,
    4,
    1,
    ServerConfig({"tuned": "some-model"}, "max_tokens", {"temperature": 0}),
    QUICK,
)


@pytest.fixture(scope="module")
def groups(base) -> list[QuestionGroup]:
    chat = ChatTokenizer(base / "tokenizer.json")
    texts = ["Hi.", "Rain?\nOr <|im_start|>snow?", "你好"]
    questions = {f"t{n}": tuple(chat.question([User(x)], SPEC)) for n, x in enumerate(texts)}
    return [QuestionGroup("g", ("Thought:",), tuple(chat.prefix(SPEC)), questions)]


def at(url: str, **changes: object) -> PredictConfig:
    service = msgspec.structs.replace(QUICK, base_url=url)
    return msgspec.structs.replace(SETTINGS, service=service, **changes)


def answered(folder, settings, groups, done=()) -> dict[str, Answer]:
    engine = ENGINES[settings.engine](folder, "tuned", settings)
    return {answer.task: answer for batch in engine.answers(groups, done) for answer in batch}


def test_an_answer_is_cut_off_exactly_if_it_can_never_parse(lively, groups):
    here = msgspec.structs.replace(SETTINGS, engine="transformers")
    whole = answered(lively, msgspec.structs.replace(here, malformed_stop_tokens=8), groups)
    cut = answered(lively, here, groups)
    for task, answer in cut.items():
        assert len(answer.text) < len(whole[task].text)
        assert whole[task].text.startswith(answer.text)
    open_to_all = [msgspec.structs.replace(group, openings=("",)) for group in groups]
    assert answered(lively, here, open_to_all) == whole


def test_an_answer_says_whether_it_was_cut_at_the_limit(lively, groups):
    open_to_all = [msgspec.structs.replace(group, openings=("",)) for group in groups]
    here = msgspec.structs.replace(SETTINGS, engine="transformers")
    assert all(answer.cut for answer in answered(lively, here, open_to_all).values())
    assert not any(answer.cut for answer in answered(lively, here, groups).values())


def test_a_server_says_whether_it_cut_an_answer(base, groups):
    with ChatServer({}, faults={0: "length"}).running_in_a_thread() as server:
        answers = answered(base, at(server.url), groups, {"t1", "t2"})
    assert answers["t0"].cut


def test_the_messages_of_a_prompt_are_decoded_from_its_ids(base, groups):
    chat = ChatTokenizer(base / "tokenizer.json")
    turns = [User("Hi."), Assistant("no_call", text="Hello!"), User("Bye.")]
    ids = [*groups[0].prefix, *chat.question(turns, SPEC)]
    system, *rest = openai_engine.decode_messages(ids, chat)
    assert system == Message("system", SYSTEM)
    assert [(message.role, message.content) for message in rest[::2]] == [
        ("user", "Hi."),
        ("user", "Bye."),
    ]
    assert rest[1].role == "assistant"
    assert "Hello!" in rest[1].content


def test_a_server_is_asked_every_question_greedily_and_by_its_name(base, groups):
    with ChatServer({}, default="Thought: no").running_in_a_thread() as server:
        answers = answered(base, at(server.url), groups)
    assert answers == {task: Answer(task, "Thought: no") for task in ("t0", "t1", "t2")}
    bodies = [msgspec.json.decode(body) for body in server.bodies]
    assert {body["model"] for body in bodies} == {"some-model"}
    assert {(body["temperature"], body["max_tokens"]) for body in bodies} == {(0, 8)}
    queries = {body["messages"][1]["content"] for body in bodies}
    assert queries == {"Hi.", "Rain?\nOr <|im_start|>snow?", "你好"}


def test_what_was_answered_before_is_not_asked_again(base, groups):
    with ChatServer({}).running_in_a_thread() as server:
        assert set(answered(base, at(server.url), groups, {"t0", "t2"})) == {"t1"}
        assert answered(base, at(server.url), groups, {"t0", "t1", "t2"}) == {}
    assert server.arrived == 1


def test_a_failed_request_is_an_error_and_not_an_answer(base, groups):
    faults = dict.fromkeys(range(100), "500")
    with ChatServer({}, faults=faults).running_in_a_thread() as server:
        answers = answered(base, at(server.url), groups)
    assert [answer.text for answer in answers.values()] == ["", "", ""]
    assert all("HTTP 500" in answer.error for answer in answers.values())


@pytest.mark.parametrize(
    ("settings", "row", "problem"),
    [
        pytest.param(
            SETTINGS, "base", r"names: no entry for base; .* \(entries: tuned\)", id="no name"
        ),
        pytest.param(
            msgspec.structs.replace(SETTINGS, engine="vllm"), "base", "not installed", id="no vllm"
        ),
    ],
)
def test_an_engine_that_cannot_answer_says_why_in_one_line(base, settings, row, problem):
    with pytest.raises(BadInput, match=problem):
        ENGINES[settings.engine](base, row, settings)


def test_a_run_resumes_from_a_run_at_another_pace():
    faster = msgspec.structs.replace(QUICK, concurrency=64)
    assert (
        msgspec.structs.replace(SETTINGS, service=faster).without_pacing == SETTINGS.without_pacing
    )
    assert (
        msgspec.structs.replace(SETTINGS, max_new_tokens=9).without_pacing
        != SETTINGS.without_pacing
    )


def test_the_committed_section_names_an_existing_engine():
    assert config.load("predict", PredictConfig).engine in ENGINES
