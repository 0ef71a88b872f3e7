"""Predicting survives a kill, and then ends with the bytes of an uninterrupted run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import yaml

from benchmark.answers import Answer
from stages.predict import stored
from trajectory import jsonl
from trajectory.chat import Chat
from trajectory.questions import Questions
from trajectory.records import User

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "stages.predict"]
PATHS = ["prompts.jsonl", "base", "fingerprint.json", "answers.jsonl"]
GROUPS = 30


@pytest.fixture(scope="module")
def made(lively, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("predict")
    shutil.copytree(lively, folder / "base")
    for package in ("stages", "trajectory", "benchmark"):
        (folder / package).symlink_to(ROOT / package)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["predict"] |= {"max_new_tokens": 40, "rows": 4, "threads": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "fingerprint.json").write_text("{}")
    chat = Chat(lively / "tokenizer.json")
    questions = [
        Questions(
            f"g{number:02}",
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


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [*COMMAND, *PATHS], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )


def finished(folder: Path) -> bytes:
    process = start(folder)
    process.communicate(timeout=120)
    assert process.returncode == 0
    return (folder / "answers.jsonl").read_bytes()


def store(folder: Path) -> Path | None:
    return next(folder.glob("scratch/predict/*.jsonl"), None)


@pytest.fixture(scope="module")
def whole(made) -> bytes:
    return finished(made)


def test_every_question_is_answered_once_in_order(whole):
    tasks = [msgspec.json.decode(line, type=Answer).task for line in whole.splitlines()]
    assert len(tasks) == 3 * GROUPS
    assert tasks == sorted(set(tasks))


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(made, whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(
        made, folder, symlinks=True, ignore=shutil.ignore_patterns("scratch", "answers*")
    )
    process = start(folder)
    deadline = time.monotonic() + 300
    while (path := store(folder)) is None or not path.stat().st_size:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "answers.jsonl").exists()
    before = len(stored(path))
    assert before > 0
    with open(path, "ab") as torn:
        torn.write(b'{"task": "g29.a", "te')
    assert finished(folder) == whole
    assert len(path.read_text().splitlines()) == 3 * GROUPS  # nothing was asked twice
