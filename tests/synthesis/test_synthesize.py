"""The stage as a command: killed, out of money, dry, previewed; and the key that nobody sees."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.files import jsonl
from agent_tuning.runtime import config
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.select import SynthesizeConfig
from tests.support import default_data, general_params
from tests.support.chat_server import ChatServer, hash_body

ROOT = Path(__file__).parents[2]
KEY = "sk-test-0123456789abcdef"
PATHS = [
    *("plan.jsonl", "catalogue", "phrasing.yaml"),
    *("replies.jsonl", "raw.jsonl", "failures.jsonl", "metrics.json"),
]
OUTS = PATHS[4:]
WANTED = default_data.requests()[:8]
SERVICE = {
    "concurrency": 4,
    "timeout": 10,
    "retries": 5,
    "initial_backoff_s": 0.01,
    "max_backoff_s": 0.05,
}
P = config.load("synthesize", SynthesizeConfig, recipe="general")
CHAT = config.load("chat_model", ChatModelConfig)
AUTHOR = Author(default_data.teacher(P.style))
TABLE = default_data.perfect_answers(AUTHOR, WANTED, CHAT.model)
FAULTS = {3: "429", 12: "500", 20: "drop", 31: "broken"}


def folder(path: Path, url: str, **changes: object) -> Path:
    """What the stage reads, with these changes to its parameters."""
    path.mkdir()
    for package in ("stages", "agent_tuning"):
        (path / package).symlink_to(ROOT / package)
    (path / "catalogue").symlink_to(ROOT / "data/catalogue")
    (path / "phrasing.yaml").symlink_to(ROOT / "data/phrasing.yaml")
    jsonl.write(path / "plan.jsonl", WANTED)
    params = general_params.read()
    sections = {name: params[name] for name in ("synthesize", "chat_model")}
    sections["chat_model"]["service"] |= SERVICE | {"base_url": url, "poll_interval_s": 0.2}
    sections["synthesize"] |= {"teacher": "openai", "max_failed": 0.1}
    for key, value in changes.items():
        owner = "synthesize" if key in sections["synthesize"] else "chat_model"
        sections[owner][key] = value
    (path / "params.yaml").write_text(yaml.safe_dump(sections))
    return path


def start(path: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.synthesize", *PATHS, *options],
        cwd=path,
        env={**os.environ, "OPENAI_API_KEY": KEY} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(path: Path, *options: str, **environment: str) -> tuple[int, str]:
    process = start(path, *options, **environment)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def outs(path: Path) -> list[bytes]:
    return [(path / name).read_bytes() for name in OUTS]


def killed_when(path: Path, moment: Callable[[], bool]) -> bool:
    """False if the run came to its end first."""
    process = start(path)
    while process.poll() is None and not moment():
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_bytes_and_pays_for_nothing_twice(tmp_path):
    with ChatServer(TABLE, faults={9: "length"}).running_in_a_thread() as server:
        whole = folder(tmp_path / "whole", server.url)
        assert run(whole)[0] == 0
        clipped = hash_body(server.bodies[9])
    # The same answer is clipped here, at whatever moment it comes.
    server = ChatServer(TABLE, delay=0.02, faults=FAULTS, clipped={clipped})
    with server.running_in_a_thread():
        path = folder(tmp_path / "killed", server.url)
        store = path / "replies.jsonl"
        kills = 0
        for lines in sorted(random.Random(5).sample(range(len(TABLE)), 10)):
            known, before = len(AnswerStore(store)), len(server.bodies)
            stored = {reply.key for reply in AnswerStore(store)}
            kills += killed_when(path, lambda n=lines: store.exists() and lines_of(store) >= n)
            assert not stored & {hash_body(body) for body in server.bodies[before:]}
            assert len(AnswerStore(store)) >= known
            with open(store, "ab") as torn:
                torn.write(b'{"key": "torn')
        assert kills >= 8
        assert run(path)[0] == 0
    assert outs(path) == outs(whole)
    lost = sum(server.answered.values()) - len(TABLE)
    assert 0 <= lost <= kills * SERVICE["concurrency"]  # answers on their way when the kill came


def lines_of(store: Path) -> int:
    return store.read_bytes().count(b"\n")


@pytest.mark.slow
def test_a_killed_run_finds_its_batch_again(tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        path = folder(tmp_path / "batch", server.url, batch=True)
        assert killed_when(path, lambda: len(server.batches) == 1)
        assert killed_when(path, lambda: len(server.batches) == 2)
        code, output = run(path)
        assert (code, "done" in output) == (0, True)
    assert server.answered == dict.fromkeys(TABLE, 1)


def test_out_of_money_is_status_75_and_one_line_and_keeps_what_was_paid(tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        path = folder(tmp_path / "poor", server.url, budget=0.02)
        code, output = run(path)
    assert code == 75
    assert re.fullmatch(r"stopped: chat_model\.budget = 0\.02 USD .*", output.splitlines()[-1])
    assert len(AnswerStore(path / "replies.jsonl")) == sum(server.answered.values()) > 0
    assert not any((path / name).exists() for name in OUTS)


@pytest.mark.parametrize("fault", ["", "echo", "refused"])
def test_the_key_is_in_no_output_and_no_file(fault, tmp_path):
    """Not even if the server sends it back, as these faults do, or all logs are on."""
    faults = {0: fault} if fault else {}
    with ChatServer(TABLE, faults=faults).running_in_a_thread() as server:
        path = folder(tmp_path / "secret", server.url)
        code, output = run(path, OPENAI_LOG="debug")
    assert server.authorizations == {f"Bearer {KEY}"}
    assert (code == 0) == (fault != "refused")
    texts = [output.encode(), *(p.read_bytes() for p in path.iterdir() if p.is_file())]
    assert not [text for text in texts if KEY.encode() in text]
    assert fault != "refused" or "[key]" in output


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "OPENAI_API_KEY is not set"), (f"{KEY} x", "OPENAI_API_KEY contains a space")],
)
def test_a_key_that_cannot_be_one_is_named_and_not_shown(value, words, tmp_path):
    code, output = run(folder(tmp_path / "f", ""), OPENAI_API_KEY=value, OPENAI_BASE_URL="")
    assert code == 1
    assert words in output
    assert KEY not in output


def test_a_dry_run_tells_requests_tokens_and_cost_and_asks_nothing(tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        path = folder(tmp_path / "dry", server.url)
        code, output = run(path, "--dry-run", OPENAI_API_KEY="")
    assert code == 0
    assert re.fullmatch(
        rf"openai: {len(TABLE)} requests, about \d+ prompt tokens, "
        rf"at most {400 * len(TABLE)} completion tokens and 0\.\d{{4}} USD "
        r"\(chat_model\.budget = 5\.0\)\n",
        output,
    )
    assert server.arrived == 0
    assert not any((path / name).exists() for name in PATHS[3:])


@pytest.mark.parametrize("teacher", ["scripted", "openai"])
def test_a_preview_prints_as_many_trajectories_as_asked_for_and_writes_nothing(teacher, tmp_path):
    with ChatServer(TABLE).running_in_a_thread() as server:
        path = folder(tmp_path / "preview", server.url, teacher=teacher)
        code, output = run(path, "--preview", "5")
    assert code == 0
    assert len(re.findall(r"^\w+\.\w+\.en\.\d+$", output, re.MULTILINE)) == 5
    assert not any((path / name).exists() for name in PATHS[3:])


def test_a_preview_shows_marks_of_direction_and_does_not_obey_them(tmp_path):
    table = {body: answer.replace("the ", "the \u202e") for body, answer in TABLE.items()}
    with ChatServer(table).running_in_a_thread() as server:
        code, output = run(folder(tmp_path / "preview", server.url), "--preview", "5")
    assert code == 0
    assert "\u202e" not in output
    assert r"the \u202e" in output


def test_a_model_without_a_price_and_a_budget_is_named(tmp_path):
    model = {"name": "gpt-none", "structured": True, "sampling": {"max_tokens": 9}}
    code, output = run(folder(tmp_path / "f", "http://127.0.0.1:9/v1", model=model))
    assert code == 1
    assert "chat_model.prices: no price of gpt-none" in output


def test_too_many_failures_stop_the_stage_after_their_reasons_are_written(tmp_path):
    with ChatServer({}, default="nonsense").running_in_a_thread() as server:
        path = folder(tmp_path / "bad", server.url)
        code, output = run(path)
    total = sum(len(request.items) for request in WANTED)
    assert code == 1
    assert f"{total} of {total} trajectories failed, more than synthesize.max_failed" in output
    assert '"failed_malformed": 32' in (path / "metrics.json").read_text()
