"""Weights that are written file by file are the files that transformers writes."""

import json
import os
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, MixtralConfig, MixtralForCausalLM

from agent_tuning.model import tiny_model
from agent_tuning.model.load_model import load_model
from agent_tuning.training import weight_files
from tests.conftest import SIZES
from tests.support import training_ranks


@pytest.mark.parametrize("size", ["5GB", "30KB"], ids=["one file", "several files"])
def test_the_files_are_those_of_transformers(tmp_path, size):
    model = tiny_model.build_model(SIZES, tiny_model.build_tokenizer())
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    ours.mkdir()
    model.save_pretrained(theirs, max_shard_size=size)
    assert weight_files.can_write_by_file(model)
    weight_files.write(model, ours, size)
    for path in ours.iterdir():
        assert path.read_bytes() == (theirs / path.name).read_bytes(), path.name
    settings = {"config.json", "generation_config.json"}
    assert {path.name for path in theirs.iterdir()} - settings == {p.name for p in ours.iterdir()}


def test_a_model_whose_files_name_other_tensors_is_written_by_transformers():
    config = MixtralConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, num_local_experts=2,
    )  # fmt: skip
    assert not weight_files.can_write_by_file(MixtralForCausalLM(config))


def test_files_can_be_read_by_whoever_may_read_new_files(tmp_path):
    (tmp_path / "private").touch(mode=0o600)
    mask = os.umask(0o027)
    weight_files.allow_reading(tmp_path)
    os.umask(mask)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o640


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "inputs"
    return training_ranks.make_inputs(folder, copies=1, epochs=1, precision="float32")


def partition_everything(folder: Path) -> None:
    """Let ZeRO-3 divide every weight: those of the tiny model are all below the threshold."""
    (folder / "slurm").unlink()
    (folder / "slurm").mkdir()
    config = json.loads((training_ranks.ROOT / "slurm/zero3.json").read_text())
    config["zero_optimization"]["stage3_param_persistence_threshold"] = 0
    (folder / "slurm/zero3.json").write_text(json.dumps(config))


def test_two_ranks_that_divide_every_weight_write_the_model_that_one_trains(inputs, tmp_path):
    for ranks in (1, 2):
        folder = training_ranks.copy_inputs(inputs, tmp_path / str(ranks))
        partition_everything(folder)
        succeeded, output = training_ranks.train(folder, ranks)
        assert succeeded, output
    alone, together = (load_model(tmp_path / str(n) / "model", torch.float32) for n in (1, 2))
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "1/base")
    for (name, one), two, before in zip(
        alone.named_parameters(), together.parameters(), base.parameters(), strict=True
    ):
        torch.testing.assert_close(two, one, rtol=1e-3, atol=2e-5, msg=name)
        assert not torch.equal(one, before), name
    settings = [(tmp_path / f"{n}/model/config.json").read_text() for n in (1, 2)]
    assert settings[0] == settings[1]


def test_a_rank_that_writes_nothing_stays_until_the_model_is_there(inputs, tmp_path):
    """torchrun ends a rank that writes 300 seconds after the first one has ended."""
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    (folder / training_ranks.SLOW_DISK).touch()
    ranks = training_ranks.RankProcesses(folder, 2)
    ranks.processes[1].join(training_ranks.PATIENCE)
    assert (folder / "model/README.md").exists(), ranks.output
    assert ranks.end() == [0, 0], ranks.output
