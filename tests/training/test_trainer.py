"""The training stage, on the tiny model: as a user starts it, and as ranks that share one start."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import datasets
import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM

from agent_tuning.files import csv_records, jsonl
from agent_tuning.tokens import pack_file
from agent_tuning.training import checkpoints, export, trainer
from agent_tuning.training.throughput import StepThroughput
from agent_tuning.training.train_log import TrainStep
from tests.support import training_ranks
from tests.support.overfitted_model import TRAIN
from tests.support.training_ranks import RankProcesses

ONE = [sys.executable, "-m", "stages.train"]
# The rendezvous is torchrun's own; a free port lets test runs run at the same time.
TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
TWO += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "-m", "stages.train"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    return training_ranks.make_inputs(tmp_path_factory.mktemp("train") / "inputs")


@pytest.fixture(scope="module")
def uninterrupted(inputs, tmp_path_factory) -> Path:
    """An uninterrupted run, started from a shell."""
    folder = training_ranks.copy_inputs(inputs, tmp_path_factory.mktemp("uninterrupted") / "run")
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


def train(folder: Path, world: int = 1) -> list[TrainStep]:
    succeeded, output = training_ranks.train(folder, world)
    assert succeeded, output
    return log(folder)


def run_to_error(folder: Path, world: int = 1) -> str:
    """Run the stage, which must fail; return its error line."""
    succeeded, output = training_ranks.train(folder, world)
    assert not succeeded
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    return line


def test_the_loss_falls(uninterrupted):
    # Steps have different packs, halves of the run the same.
    losses = [step.loss for step in log(uninterrupted)]
    half = len(losses) // 2
    assert sum(losses[half:]) < sum(losses[:half])


def test_what_is_saved_is_safetensors_and_the_tokenizer(uninterrupted):
    names = {path.name for path in (uninterrupted / "model").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json", "README.md"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]


def test_the_card_names_the_inputs_of_the_model_and_no_path_of_this_machine(uninterrupted):
    card = (uninterrupted / "model/README.md").read_text()
    known = json.loads((uninterrupted / "scratch/digests.json").read_text())
    for name in ("packs.parquet", "base/model.safetensors", "code.json"):
        assert known[name][1] in card
    assert "| learning_rate | 0.001 |" in card
    last_loss = json.loads((uninterrupted / "m.json").read_text())["last_loss"]
    assert f"| last_loss | {last_loss} |" in card
    assert str(uninterrupted) not in card


def test_every_step_has_a_line_in_speed_jsonl(uninterrupted):
    (file,) = uninterrupted.glob("scratch/train/*/speed.jsonl")
    lines = list(jsonl.read(file, StepThroughput))
    packs = list(pack_file.read(uninterrupted / "packs.parquet"))
    supervised = sum(weight != 0 for pack in packs for weight in pack.weights)
    assert [line.step for line in lines] == [step.step for step in log(uninterrupted)]
    assert sum(line.tokens for line in lines) == 4 * sum(len(pack.ids) for pack in packs)
    assert sum(line.supervised for line in lines) == 4 * supervised
    assert all(line.mfu is None for line in lines)  # no peak of a CPU is known


def test_an_interrupted_run_resumes_and_ends_with_the_same_bytes(inputs, uninterrupted, tmp_path):
    """By TERM; tests/training/test_crash_injection.py has kill -9 and USR1."""
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    statuses, _ = training_ranks.interrupt(folder, signal.SIGTERM)
    assert statuses == [75]
    assert "stopped by a signal after step" in (folder / "rank0.out").read_text()
    assert not (folder / "model").exists()
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    assert "resuming from" in output
    assert training_ranks.read_outputs(folder) == training_ranks.read_outputs(uninterrupted)


def test_a_run_saves_early_and_a_kill_repeats_nothing_before_that(inputs, uninterrupted, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run", save_steps=1000, first_save_s=0)
    ranks = RankProcesses(folder)
    assert ranks.wait_for(lambda: any(folder.glob("scratch/train/*/checkpoint-1/COMPLETE")))
    ranks.processes[0].kill()
    ranks.end()
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    assert "checkpoint-" in next(x for x in output.splitlines() if x.startswith("resuming from"))
    # The card names the parameters, which differ.
    names = ("model.safetensors",)
    assert training_ranks.read_outputs(folder, names) == training_ranks.read_outputs(
        uninterrupted, names
    )


def test_changed_data_never_resumes_an_old_checkpoint(inputs, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run", epochs=1)
    train(folder)
    (folder / "code.json").write_text('{"another": "code"}')
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    assert "resuming from" not in output
    (line,) = [line for line in output.splitlines() if line.startswith("skipped")]
    assert line.endswith("trained with different code.json")


def test_a_checkpoint_of_two_ranks_is_not_resumed_by_one(inputs, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    statuses, _ = training_ranks.interrupt(folder, signal.SIGUSR1, 2)
    assert statuses == [75, 75]
    assert "written by 2 ranks, but this run has 1; run with 2 ranks, or delete" in run_to_error(
        folder
    )


@pytest.fixture(scope="module")
def exact(tmp_path_factory) -> Path:
    """Seven packs in float32: they divide neither by two ranks nor by a batch of four."""
    folder = training_ranks.make_inputs(
        tmp_path_factory.mktemp("exact") / "inputs", copies=1, max_len=750, precision="float32"
    )
    table = datasets.Dataset.from_parquet(str(folder / "packs.parquet"))
    assert len(table) >= 7, "the groups have become smaller"
    table.select(range(7)).to_parquet(str(folder / "packs.parquet"))
    return folder


@pytest.mark.parametrize("batch", [2, 8])
def test_two_ranks_step_as_one_does_and_count_every_pack_once(exact, tmp_path, batch):
    """Without accumulation and with it; the last step has one pack less for the second rank."""
    logs = [
        train(
            training_ranks.copy_inputs(
                exact, tmp_path / str(world), packs_per_step=batch, epochs=1
            ),
            world,
        )
        for world in (1, 2)
    ]
    for alone, together in zip(*logs, strict=True):
        assert together.loss == pytest.approx(alone.loss, rel=1e-6)
        assert together.grad_norm == pytest.approx(alone.grad_norm, rel=2e-6)


def test_accumulation_changes_neither_loss_nor_gradient(tmp_path):
    """The same trajectories in one step: as one pack, and as eight micro-batches or more."""
    logs = []
    folder = training_ranks.make_inputs(tmp_path, copies=2, epochs=1, precision="float32")
    for max_len in (1000, 100_000):
        training_ranks.set_params(folder, render={"max_len": max_len})
        training_ranks.render(folder)
        batch = json.loads((folder / "r.json").read_text())["packs"]
        training_ranks.set_params(folder, train={"packs_per_step": batch})
        logs.append((batch, train(folder)))
    (several, (accumulated,)), (single, (direct,)) = logs
    assert several >= 8
    assert single == 1
    assert accumulated.loss == pytest.approx(direct.loss, rel=1e-5)
    assert accumulated.grad_norm == pytest.approx(direct.grad_norm, rel=1e-5)


def test_activation_checkpointing_changes_nothing(exact, tmp_path):
    """Of no layer, of every one, of every second."""
    none, every, second = (
        train(
            training_ranks.copy_inputs(
                exact, tmp_path / str(n), activation_checkpointing_every=n, epochs=1
            )
        )
        for n in (0, 1, 2)
    )
    assert none == every == second


@pytest.mark.parametrize(
    ("given", "is_small", "every"), [(0, True, 4), (0, False, None), (1, True, 1)]
)
def test_small_memory_computes_activations_of_some_layers_again(
    given, is_small, every, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "has_small_memory", lambda: is_small)
    config = msgspec.structs.replace(TRAIN, activation_checkpointing_every=given)
    arguments = trainer.training_arguments(config, tmp_path, None)
    assert arguments.activation_checkpointing == (every is not None)
    assert (arguments.activation_checkpointing_kwargs or {}).get("every_n_layers") == every


def test_a_base_in_several_files_trains_as_in_one(inputs, uninterrupted, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    model = AutoModelForCausalLM.from_pretrained(folder / "base")
    (folder / "base/model.safetensors").unlink()
    model.save_pretrained(folder / "base", max_shard_size="30KB")
    assert len(list((folder / "base").glob("model-*.safetensors"))) > 1
    train(folder)
    names = ["model.safetensors"]
    assert training_ranks.read_outputs(folder, names) == training_ranks.read_outputs(
        uninterrupted, names
    )


@training_ranks.NEEDS_COMPILER
def test_under_torchrun_a_batch_that_does_not_divide_is_one_clear_line(inputs, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run", packs_per_step=3)
    done = command(folder, TWO)
    assert done.returncode != 0
    line = "error: params.yaml: train.packs_per_step = 3 is not a multiple of the 2 ranks"
    assert done.stdout.count(line) == 1


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ({"liger": True}, "train.liger: needs a GPU, and none is available"),
        ({"report_to": "wandb"}, "train.report_to: wandb: wandb is not installed"),
    ],
    ids=["liger", "report_to"],
)
def test_what_cannot_be_trained_is_one_clear_line(inputs, tmp_path, numbers, line):
    assert line in run_to_error(training_ranks.copy_inputs(inputs, tmp_path / "run", **numbers))


@pytest.mark.parametrize("name", export.TOKENIZER_FILES)
def test_a_base_that_lacks_what_the_model_needs_is_refused_before_the_first_step(
    inputs, tmp_path, name
):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    (folder / "base" / name).unlink()
    assert f"base/{name}: missing tokenizer; run `dvc repro fetch`" in run_to_error(folder)
    assert not (folder / "scratch").exists()


def test_a_loss_that_is_no_number_is_one_clear_line(inputs, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    model = AutoModelForCausalLM.from_pretrained(folder / "base")
    with torch.no_grad():
        model.get_input_embeddings().weight *= float("inf")
    model.save_pretrained(folder / "base")
    assert "loss is nan; try a lower train.learning_rate" in run_to_error(folder)


def test_a_truncated_checkpoint_is_skipped(inputs, uninterrupted, tmp_path):
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    training_ranks.interrupt(folder, signal.SIGKILL)
    *_, newest = sorted(folder.glob(f"scratch/train/*/checkpoint-*/{checkpoints.MARKER}"))
    shard = newest.parent / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    assert "skipped" in output
    assert training_ranks.read_outputs(folder) == training_ranks.read_outputs(uninterrupted)
