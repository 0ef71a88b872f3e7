"""A killed prediction resumes, and ends with the bytes of an uninterrupted run."""

from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import append_log, jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import PromptSpec, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from tests.conftest import CLOCK, prompt_in
from tests.support.killed_stage import KillableStage

PREDICT = KillableStage(
    "predict", ["requests.jsonl", "base", "code.json", "answers.jsonl"], "answers.jsonl"
)
GROUPS = 30


def number_prompt(number: int) -> PromptSpec:
    tool = msgspec.structs.replace(CLOCK, name=f"get_time_{number}")
    return msgspec.structs.replace(prompt_in("react"), tools=(tool,))


@pytest.fixture(scope="module")
def ready_folder(lively, tmp_path_factory) -> Path:
    numbers = {"max_new_tokens": 40, "malformed_stop_tokens": 20, "batch_size": 4, "threads": 1}
    folder = PREDICT.ready(tmp_path_factory.mktemp("predict"), lively, numbers)
    chat = ChatTokenizer(lively / "tokenizer.json")
    questions = [
        QuestionGroup(
            f"g{number:02}",
            ("",),
            tuple(chat.prefix(number_prompt(number))),
            {
                f"g{number:02}.{text}": tuple(chat.question([User(text)], number_prompt(number)))
                for text in ("a", "bb", "ccc")
            },
        )
        for number in range(GROUPS)
    ]
    jsonl.write(folder / "requests.jsonl", questions)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(ready_folder) -> bytes:
    return PREDICT.finished(ready_folder)


def test_every_question_is_answered_once_in_order(uninterrupted):
    tasks = [msgspec.json.decode(line, type=Answer).task for line in uninterrupted.splitlines()]
    assert len(tasks) == 3 * GROUPS
    assert tasks == sorted(set(tasks))


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(ready_folder, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    path = PREDICT.killed(ready_folder, folder)
    before = len(append_log.read_complete(path, Answer))
    assert before > 0
    with open(path, "ab") as torn:
        torn.write(b'{"task": "g29.a", "te')
    assert PREDICT.finished(folder) == uninterrupted
    assert len(path.read_text().splitlines()) == 3 * GROUPS  # no question was answered twice
