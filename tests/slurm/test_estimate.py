"""Sizes as they are published, and the estimate beside the reference note and the goals."""

from pathlib import Path

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from agent_tuning.model import loss
from agent_tuning.records import BadInput
from slurm.launch import dry_run
from slurm.sizing import estimate, sizes
from slurm.sizing.estimate import DecoderShape, Estimate
from tests.support import general_params

SIZES = ["7b", "14b", "72b"]


def estimate_for(name: str) -> Estimate:
    return estimate.estimate_size(name, sizes.load(name))


def count_parameters(shape: DecoderShape) -> int:
    """Parameters of the model that transformers makes from this shape, without memory for them."""
    config = Qwen2Config(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        vocab_size=shape.vocab,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(("name", "billions"), [("7b", 7.62), ("14b", 14.8), ("72b", 72.7)])
def test_the_shapes_have_the_published_number_of_parameters(name, billions):
    shape = estimate_for(name).model.shape
    assert shape.parameters == count_parameters(shape)
    assert shape.parameters / 1e9 == pytest.approx(billions, abs=0.05)


@pytest.mark.parametrize(
    ("name", "goal", "hours", "note"),
    [("7b", 4170, 7.8, 1306), ("14b", 1907, 8.6, 680), ("72b", 351, 11.6, 102)],
)
def test_the_table_stands_beside_the_note(name, goal, hours, note):
    rows = list(estimate.note_comparison_rows(estimate_for(name)))
    assert rows[0] == ("tokens/s/GPU", str(goal), str(note))
    assert rows[2][1] == f"{hours:.1f}"


@pytest.mark.parametrize(("name", "cost"), [("7b", "17,371"), ("14b", "26,682"), ("72b", "88,940")])
def test_the_costs_of_the_note_come_out(name, cost):
    assert list(estimate.note_comparison_rows(estimate_for(name)))[-1][2] == cost


@pytest.mark.parametrize("name", SIZES)
def test_every_size_fits_into_its_gpus_and_every_line_says_how_it_is_known(name):
    rows = list(estimate.estimate_rows(estimate_for(name)))
    assert any(value.endswith("GB, fits") for _, value, _ in rows)
    assert all(known for _, _, known in rows)


def test_the_loss_is_in_memory_a_chunk_at_a_time():
    assert estimate.LOSS_CHUNK == loss.CHUNK


def test_without_recomputed_activations_72b_does_not_fit():
    rows = estimate.estimate_rows(
        msgspec.structs.replace(estimate_for("72b"), checkpointing_every=0)
    )
    assert any("DOES NOT FIT" in value for _, value, _ in rows)


@pytest.mark.parametrize("name", SIZES)
def test_a_job_hears_of_its_end_two_steps_and_two_saves_before(name):
    size_estimate = estimate_for(name)
    seconds = 2 * (size_estimate.step_seconds + size_estimate.save_seconds)
    assert estimate.compute_signal_lead(name, size_estimate.size) >= seconds - 1


@pytest.mark.parametrize("name", SIZES)
def test_the_batch_of_a_size_divides_by_its_gpus(name):
    size = sizes.load(name)
    assert sizes.read_section(size, "train")["packs_per_step"] % size.training_ranks == 0


def test_a_number_that_its_stage_does_not_know_is_refused():
    size = sizes.load("7b")
    unknown = msgspec.structs.replace(size, overrides={"train": {"epoch": 3}})
    with pytest.raises(
        BadInput, match=r"params.yaml:\d+: models: overrides.train.epoch: the stage"
    ):
        sizes.read_section(unknown, "train")


@pytest.mark.parametrize("name", SIZES)
def test_a_stage_on_this_machine_finds_every_section_with_the_numbers_of_the_size(name):
    size = sizes.load(name)
    sections = sizes.read_sections(size)
    given = general_params.read()
    assert sections.keys() == given.keys() - {"recipe", "recipes"}
    for section, values in sections.items():
        assert values == given[section] | size.overrides.get(section, {})


@pytest.mark.parametrize("name", ["tiny", *SIZES])
def test_the_submission_is_the_golden_one(name, tmp_path, monkeypatch, capsys):
    golden = Path(f"tests/golden/submit-{name}.txt").read_text()
    for path in ("params.yaml", "slurm"):
        (tmp_path / path).symlink_to(Path(path).absolute())
    monkeypatch.chdir(tmp_path)  # without data, wherever this runs
    monkeypatch.setattr("sys.executable", "/repo/.venv/bin/python")
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setenv("RUNS_ROOT", "/shared/runs")
    dry_run.main(Path(name))
    assert capsys.readouterr().out.split("\n\n")[0] + "\n" == golden
