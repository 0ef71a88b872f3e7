"""Predicting survives a kill, and then ends with the bytes of an uninterrupted run."""

from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import append_log, jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import User
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from tests.support.killed_stage import KillableStage

PREDICT = KillableStage(
    "predict", ["prompts.jsonl", "base", "fingerprint.json", "answers.jsonl"], "answers.jsonl"
)
GROUPS = 30


@pytest.fixture(scope="module")
def made(lively, tmp_path_factory) -> Path:
    numbers = {"max_new_tokens": 40, "unreadable_tokens": 20, "rows": 4, "threads": 1}
    folder = PREDICT.ready(tmp_path_factory.mktemp("predict"), lively, numbers)
    chat = ChatTokenizer(lively / "tokenizer.json")
    questions = [
        QuestionGroup(
            f"g{number:02}",
            ("",),
            tuple(chat.prefix(f"You are number {number}.")),
            {
                f"g{number:02}.{text}": tuple(chat.question([User(text)], "react"))
                for text in ("a", "bb", "ccc")
            },
        )
        for number in range(GROUPS)
    ]
    jsonl.write(folder / "prompts.jsonl", questions)
    return folder


@pytest.fixture(scope="module")
def whole(made) -> bytes:
    return PREDICT.finished(made)


def test_every_question_is_answered_once_in_order(whole):
    tasks = [msgspec.json.decode(line, type=Answer).task for line in whole.splitlines()]
    assert len(tasks) == 3 * GROUPS
    assert tasks == sorted(set(tasks))


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(made, whole, tmp_path):
    folder = tmp_path / "run"
    path = PREDICT.killed(made, folder)
    before = len(append_log.read_complete(path, Answer))
    assert before > 0
    with open(path, "ab") as torn:
        torn.write(b'{"task": "g29.a", "te')
    assert PREDICT.finished(folder) == whole
    assert len(path.read_text().splitlines()) == 3 * GROUPS  # nothing was asked twice
