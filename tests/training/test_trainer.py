"""The training stage, on the tiny model: as a user starts it, and as ranks that share one start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from transformers import AutoModelForCausalLM

from agent_tuning.files import csv_records, jsonl
from agent_tuning.tokens import pack_file
from agent_tuning.training import checkpoints
from agent_tuning.training.throughput import StepThroughput
from agent_tuning.training.train_log import TrainStep
from tests.support import training_ranks
from tests.support.training_ranks import Ranks

ONE = [sys.executable, "-m", "stages.train"]
# The rendezvous is torchrun's own; a free port lets test runs stand side by side.
TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
TWO += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "-m", "stages.train"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return training_ranks.folder(tmp_path_factory.mktemp("train") / "made")


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory) -> Path:
    """An uninterrupted run, started from a shell."""
    folder = training_ranks.copy(made, tmp_path_factory.mktemp("whole") / "run")
    done = command(folder, ONE)
    assert done.returncode == 0, done.stdout
    return folder


def command(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*words, *training_ranks.PATHS],
        cwd=folder,
        env={**os.environ, **training_ranks.ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )


def log(folder: Path) -> list[TrainStep]:
    return list(csv_records.read(folder / "log.csv", TrainStep))


def trained(folder: Path, world: int = 1) -> list[TrainStep]:
    well, output = training_ranks.train(folder, world)
    assert well, output
    return log(folder)


def refused(folder: Path, world: int = 1) -> str:
    """The one line with which the stage ends."""
    well, output = training_ranks.train(folder, world)
    assert not well
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    return line


def hit(folder: Path, how: signal.Signals, world: int = 1) -> list[int | None]:
    """Start, wait for the first whole checkpoint, send the signal to the last rank."""
    started = Ranks(folder, world)
    marker = f"scratch/train/*/checkpoint-*/{checkpoints.MARKER}"
    assert started.wait_for(lambda: any(folder.glob(marker))), started.output
    os.kill(started.processes[-1].pid, how)
    return started.end()


def test_the_loss_falls(whole):
    losses = [step.loss for step in log(whole)]  # steps see different packs, halves the same
    half = len(losses) // 2
    assert sum(losses[half:]) < sum(losses[:half])


def test_what_is_saved_is_safetensors_and_the_tokenizer(whole):
    names = {path.name for path in (whole / "model").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json", "README.md"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]


def test_the_card_says_what_the_model_was_made_from_and_names_no_place(whole):
    card = (whole / "model/README.md").read_text()
    known = json.loads((whole / "scratch/digests.json").read_text())
    for name in ("packs.parquet", "base/model.safetensors", "code.json"):
        assert known[name][1] in card
    assert "| learning_rate | 0.001 |" in card
    assert f"| last_loss | {json.loads((whole / 'm.json').read_text())['last_loss']} |" in card
    assert str(whole) not in card


def test_every_step_has_a_line_of_its_speed(whole):
    (file,) = whole.glob("scratch/train/*/speed.jsonl")
    lines = list(jsonl.read(file, StepThroughput))
    packs = list(pack_file.read(whole / "packs.parquet"))
    supervised = sum(weight != 0 for pack in packs for weight in pack.weights)
    assert [line.step for line in lines] == [step.step for step in log(whole)]
    assert sum(line.tokens for line in lines) == 4 * sum(len(pack.ids) for pack in packs)
    assert sum(line.supervised for line in lines) == 4 * supervised
    assert all(line.mfu is None for line in lines)  # no peak of a CPU is known


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(made, whole, tmp_path):
    """By TERM; tests/training/test_crash_injection.py has kill -9 and USR1."""
    folder = training_ranks.copy(made, tmp_path / "run")
    assert hit(folder, signal.SIGTERM) == [75]
    assert not (folder / "model").exists()
    well, output = training_ranks.train(folder)
    assert well, output
    assert "resuming from" in output
    assert training_ranks.result(folder) == training_ranks.result(whole)


def test_changed_data_never_resumes_an_old_checkpoint(made, tmp_path):
    folder = training_ranks.copy(made, tmp_path / "run", epochs=1)
    trained(folder)
    (folder / "code.json").write_text('{"another": "code"}')
    well, output = training_ranks.train(folder)
    assert well, output
    assert "resuming from" not in output
    (line,) = [line for line in output.splitlines() if line.startswith("skipped")]
    assert line.endswith("trained with other code.json")


def test_a_checkpoint_of_two_ranks_is_not_resumed_by_one(made, tmp_path):
    folder = training_ranks.copy(made, tmp_path / "run")
    assert hit(folder, signal.SIGUSR1, 2) == [75, 75]
    assert "written by 2 ranks, this run has 1: continue with 2, or remove" in refused(folder)


@pytest.fixture(scope="module")
def exact(tmp_path_factory) -> Path:
    """Seven packs in float32: they divide neither by two ranks nor by a batch of four."""
    folder = training_ranks.folder(
        tmp_path_factory.mktemp("exact") / "made", copies=1, max_len=750, precision="float32"
    )
    table = datasets.Dataset.from_parquet(str(folder / "packs.parquet"))
    assert len(table) >= 7, "the groups have become smaller"
    table.select(range(7)).to_parquet(str(folder / "packs.parquet"))
    return folder


@pytest.mark.parametrize("batch", [2, 8])
def test_two_ranks_step_as_one_does_and_count_every_pack_once(exact, tmp_path, batch):
    """Without accumulation and with it; the last step has one pack less for the second rank."""
    logs = [
        trained(
            training_ranks.copy(exact, tmp_path / str(world), packs_per_step=batch, epochs=1), world
        )
        for world in (1, 2)
    ]
    for one, two in zip(*logs, strict=True):
        assert two.loss == pytest.approx(one.loss, rel=1e-6)
        assert two.grad_norm == pytest.approx(one.grad_norm, rel=2e-6)


def test_accumulation_changes_neither_loss_nor_gradient(tmp_path):
    """The same trajectories in one step: as one pack, and as eight micro-batches or more."""
    logs = []
    folder = training_ranks.folder(tmp_path, copies=2, epochs=1, precision="float32")
    for max_len in (1000, 100_000):
        training_ranks.set_numbers(folder, render={"max_len": max_len})
        training_ranks.render(folder)
        batch = json.loads((folder / "r.json").read_text())["packs"]
        training_ranks.set_numbers(folder, train={"packs_per_step": batch})
        logs.append((batch, trained(folder)))
    (several, (one,)), (single, (other,)) = logs
    assert several >= 8
    assert single == 1
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-5)


def test_activations_computed_twice_change_nothing(exact, tmp_path):
    """Of no layer, of every one, of every second."""
    none, every, second = (
        trained(
            training_ranks.copy(
                exact, tmp_path / str(n), activation_checkpointing_every=n, epochs=1
            )
        )
        for n in (0, 1, 2)
    )
    assert none == every == second


def test_a_base_in_several_files_trains_as_in_one(made, whole, tmp_path):
    folder = training_ranks.copy(made, tmp_path / "run")
    model = AutoModelForCausalLM.from_pretrained(folder / "base")
    (folder / "base/model.safetensors").unlink()
    model.save_pretrained(folder / "base", max_shard_size="30KB")
    assert len(list((folder / "base").glob("model-*.safetensors"))) > 1
    trained(folder)
    names = ["model.safetensors"]
    assert training_ranks.result(folder, names) == training_ranks.result(whole, names)


def test_under_torchrun_a_batch_that_does_not_divide_is_one_clear_line(made, tmp_path):
    folder = training_ranks.copy(made, tmp_path / "run", packs_per_step=3)
    done = command(folder, TWO)
    assert done.returncode != 0
    line = "error: params.yaml: train.packs_per_step = 3 packs do not divide by 2 ranks"
    assert done.stdout.count(line) == 1


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ({"liger": True}, "train.liger: its kernels need a GPU, and there is none here"),
        ({"report_to": "wandb"}, "train.report_to: wandb: wandb is not installed"),
        ({"learning_rate": 1e10}, "loss is nan; try a lower train.learning_rate"),
    ],
    ids=["liger", "report_to", "diverged"],
)
def test_what_cannot_be_trained_is_one_clear_line(made, tmp_path, numbers, line):
    assert line in refused(training_ranks.copy(made, tmp_path / "run", **numbers))


def test_a_truncated_checkpoint_is_passed_over(made, whole, tmp_path):
    folder = training_ranks.copy(made, tmp_path / "run")
    hit(folder, signal.SIGKILL)
    *_, newest = sorted(folder.glob(f"scratch/train/*/checkpoint-*/{checkpoints.MARKER}"))
    shard = newest.parent / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    well, output = training_ranks.train(folder)
    assert well, output
    assert "skipped" in output
    assert training_ranks.result(folder) == training_ranks.result(whole)
