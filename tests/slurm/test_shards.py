"""A synthesis in shards on a real Slurm, with a real chat server on loopback."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.chat_model.messages import Reply
from agent_tuning.files import jsonl
from agent_tuning.runtime import config
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from agent_tuning.synthesis.teachers.select import SynthesizeConfig
from slurm.launch import launcher
from slurm.shards import shard_plan
from tests.support import default_data, general_params
from tests.support.chat_server import ChatServer
from tests.support.slurm_cluster import SlurmCluster, wait_for

ROOT = Path(__file__).parents[2]
REQUESTS = default_data.requests()[:8]
P = config.load("synthesize", SynthesizeConfig, recipe="general")
CHAT = config.load("chat_model", ChatModelConfig)
AUTHOR = Author(default_data.teacher(P.style))
ANSWERS = default_data.perfect_answers(AUTHOR, REQUESTS, CHAT.model)
PATHS = ("plan.jsonl", "data/catalogue", "data/phrasing.yaml", "replies.jsonl")
SERVICE = {
    "concurrency": 2,
    "timeout": 10,
    "retries": 2,
    "initial_backoff_s": 0.01,
    "max_backoff_s": 0.05,
}


def build_repository(
    folder: Path, url: str, *, budget: float | None = None, teacher: str = "openai"
) -> Path:
    folder.mkdir(parents=True)
    for path in ("stages", "agent_tuning", "benchmark", "slurm", "data", "requirements.lock"):
        (folder / path).symlink_to(ROOT / path)
    jsonl.write(folder / "plan.jsonl", REQUESTS)
    params = general_params.read()
    synthesize = params["synthesize"] | {"teacher": teacher, "max_failed": 0.0}
    chat = params["chat_model"] | {"budget": budget}
    chat["service"] |= SERVICE | {"base_url": url}
    sections = {"synthesize": synthesize, "chat_model": chat}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    return folder


def start(folder: Path, slurm: SlurmCluster, count: int) -> subprocess.Popen[str]:
    """The launcher; with `count` in place of make's SHARDS."""
    environment = {"CLUSTER": "slurm", "RUNS_ROOT": str(folder), "OPENAI_API_KEY": "sk-test"}
    return subprocess.Popen(
        [sys.executable, "-m", "slurm.shards.shard_launcher", str(count), *PATHS],
        cwd=folder,
        env=slurm.environment() | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, slurm: SlurmCluster, count: int) -> tuple[int, str]:
    process = start(folder, slurm, count)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def test_the_answers_are_the_same_bytes_whatever_the_number_of_shards(slurm, tmp_path):
    stores = []
    with ChatServer(ANSWERS).running_in_a_thread() as server:
        for count in (1, 2, 3):
            folder = build_repository(tmp_path / str(count), server.url)
            status, output = run(folder, slurm, count)
            assert status == 0, output
            assert f"{len(ANSWERS)} new answers" in output
            stores.append((folder / "replies.jsonl").read_bytes())
    assert stores[0] == stores[1] == stores[2]
    replay = ReplayTeacher(
        AUTHOR, CHAT.model, AnswerStore(folder / "replies.jsonl"), Price(0.0, 0.0)
    )
    groups = [written.group for written in replay.write(REQUESTS)]
    assert groups == [AUTHOR.scripted.group(request) for request in REQUESTS]


def test_a_shard_that_failed_runs_again_alone_and_nothing_paid_for_is_lost(slurm, tmp_path):
    with ChatServer(ANSWERS, delay=0.2).running_in_a_thread() as server:
        folder = build_repository(tmp_path / "x", server.url)
        process = start(folder, slurm, 3)
        store = "data-synthesize-*/shards/1/replies.jsonl"
        wait_for("an answer", lambda: any(path.stat().st_size for path in folder.glob(store)), 120)
        slurm.ask("scancel", slurm.ask("squeue", "-hr", "-o%i", "-t", "R").split()[1])
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 1, output
        assert "1 shards did not finish; the same command runs only these again" in output
        paid = len((folder / "replies.jsonl").read_bytes().splitlines())
        assert 0 < paid < len(ANSWERS)
        status, output = run(folder, slurm, 3)
        assert status == 0, output
        assert f"{len(ANSWERS) - paid} new answers" in output
    (run_folder,) = folder.glob("data-synthesize-*")
    command = msgspec.json.decode(
        (run_folder / "job.json").read_bytes(), type=launcher.Submission
    ).command
    assert "--array=1" in command


def test_a_shard_gets_what_is_known_of_its_groups_and_its_share_of_the_money(tmp_path, monkeypatch):
    monkeypatch.chdir(build_repository(tmp_path / "x", "http://nowhere", budget=4.0))
    price = Price(0.0, 1e6)  # a dollar for a completed token
    empty_store = ReplayTeacher(AUTHOR, CHAT.model, AnswerStore(Path("none.jsonl")), price)
    replies = {reply.key: reply for reply in perfect_replies()}
    first = REQUESTS[0]
    unanswered = [group.request for group in shard_plan.unanswered_groups(empty_store, REQUESTS)]
    assert unanswered == REQUESTS
    known = [replies[key] for key in default_data.perfect_answers(AUTHOR, [first], CHAT.model)]
    jsonl.write(Path("replies.jsonl"), known[:-1])
    replay = ReplayTeacher(AUTHOR, CHAT.model, AnswerStore(Path("replies.jsonl")), price)
    groups = list(shard_plan.unanswered_groups(replay, REQUESTS))
    assert [len(group.known) for group in groups] == [len(known) - 1, *[0] * (len(REQUESTS) - 1)]
    shard_plan.write_shards(
        yaml.safe_load(Path("params.yaml").read_text()), replay, Path("plan.jsonl"), 2, Path("run")
    )
    budgets = [
        yaml.safe_load(Path(f"run/shards/{index}/params.yaml").read_text())["chat_model"]["budget"]
        for index in range(2)
    ]
    assert sum(budgets) == pytest.approx(4.0)


@pytest.mark.parametrize("line", ["recipe: general  # of the three", "recipe: 'general'\r"])
def test_the_recipe_may_be_written_as_elsewhere(line, tmp_path):
    (tmp_path / "params.yaml").write_text(f"{line}\n")
    for program in ("dvc", "python"):
        (tmp_path / program).write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
        (tmp_path / program).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script = [str(ROOT / "slurm/shards/synthesize"), "2"]
    environment = os.environ | {"PATH": path}
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b"[2][data/general/plan.jsonl][data/catalogue]" in done.stdout


def perfect_replies() -> list[Reply]:
    return [Reply(key, "x", CHAT.model.name, text, "stop", 0, 0) for key, text in ANSWERS.items()]


@pytest.mark.parametrize(
    ("count", "teacher", "message"),
    [
        ("0", "openai", "SHARDS='0': expected a number from 1 to 1000"),
        ("9" * 5000, "openai", "expected a number from 1 to 1000"),
        ("$(id)", "openai", r"SHARDS='$(id)': expected a number"),
        ("2", "scripted", "synthesize.teacher = scripted: expected openai"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(count, teacher, message, slurm, tmp_path):
    folder = build_repository(tmp_path / "x", "", teacher=teacher)
    process = subprocess.run(
        [sys.executable, "-m", "slurm.shards.shard_launcher", count, *PATHS],
        cwd=folder,
        env=slurm.environment() | {"CLUSTER": "slurm"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert message in line
