"""Sizes as they are published, and the estimate beside the reference note and the goals."""

from pathlib import Path

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

from agent_tuning.model import loss
from agent_tuning.records import BadInput
from slurm.launch import dry_run
from slurm.sizing import estimate, sizes
from slurm.sizing.estimate import DecoderShape, Estimate, RenderedTokens
from tests.support import general_params

SIZES = ["7b", "14b", "72b"]
ONE_GPU = ["350m", "500m"]


def estimate_for(name: str) -> Estimate:
    return estimate.estimate_size(name, sizes.load(name))


def count_parameters(shape: DecoderShape) -> int:
    """Parameters of the model that transformers makes from this shape, without memory for them."""
    kind = Qwen2Config if shape.biases else LlamaConfig
    config = kind(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        vocab_size=shape.vocab,
        tie_word_embeddings=shape.tied,
    )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("name", "billions"),
    [("350m", 0.362), ("500m", 0.494), ("7b", 7.62), ("14b", 14.8), ("72b", 72.7)],
)
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


def test_the_run_is_counted_in_steps_with_its_warm_up_and_its_checkpoints():
    estimate_7b = estimate_for("7b")
    data = RenderedTokens(packs=51, tokens=204_000, tokens_without_sharing=700_000)
    rows = {name: value for name, value, _ in estimate.run_rows(estimate_7b, data, "measured")}
    assert rows["optimizer steps"] == "4, of which 1 warm up (too few: make more data)"
    assert rows["checkpoints"].startswith("2 in ")
    many = RenderedTokens(packs=60_000, tokens=240_000_000, tokens_without_sharing=800_000_000)
    rows = {name: value for name, value, _ in estimate.run_rows(estimate_7b, many, "measured")}
    assert rows["optimizer steps"] == "4688, of which 235 warm up"
    saving = estimate_7b.saves(60_000) * estimate_7b.save_seconds / 3600
    assert float(rows["hours"]) == pytest.approx(
        4688 * estimate_7b.step_seconds / 3600 + saving, abs=0.1
    )
    assert rows["disk in RUNS_ROOT"] == "335 GB"


SCRIPTED = {
    "trajectories": 1000,
    "tokens": 200_000,
    "tokens_without_sharing": 500_000,
    "packing_efficiency": 0.8,
}


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """A folder where the scripted part of the large recipe was counted."""
    (tmp_path / "params.yaml").write_text(Path("params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    path = Path("metrics/general_large/scripted.json")
    path.parent.mkdir(parents=True)
    path.write_bytes(msgspec.json.encode(SCRIPTED | {"packs": 61, "other": 1}))


@pytest.mark.usefixtures("counted")
def test_data_that_was_not_rendered_is_estimated_by_source():
    size_estimate = estimate_for("7b")
    scripted, *imported, general = estimate.list_sources(size_estimate)
    assert scripted[1:4] == (1000, 200_000, 500_000)
    assert scripted.known.startswith("exact")
    published = size_estimate.config.published["general_large"]
    assert {source.name for source in imported} == {n for n, s in published.items() if s.tools}
    for source in imported:
        assert source.trajectories == published[source.name].rows
        assert source.tokens == 500 * source.trajectories  # a prompt of its own each
        assert "published" in source.known
    agent = 200_000 + sum(source.tokens for source in imported)
    assert (
        general.tokens == agent / sizes.read_section(size_estimate.size, "mix")["agent_per_general"]
    )
    data = estimate.model_data(size_estimate, [scripted, *imported, general])
    assert data.tokens == agent + general.tokens
    assert data.packs == -(-data.tokens // (4096 * 0.8))


@pytest.mark.usefixtures("counted")
def test_a_recipe_that_names_its_sources_counts_these_up_to_what_it_takes():
    params = Path("params.yaml")
    listed = "[{name: xlam, format: xlam, source: x.json, take: 70, license: MIT}]"
    text = params.read_text()
    _, _, large = text.partition("  general_large:\n    catalogue")
    params.write_text(text.replace(large, large.replace("sources: []", f"sources: {listed}", 1)))
    names = {s.name: s.trajectories for s in estimate.list_sources(estimate_for("7b"))}
    assert names == {"scripted": 1000, "xlam": 70, "general": None}


def test_a_recipe_that_nobody_counted_is_as_long_as_general_and_says_so(tmp_path, monkeypatch):
    for path in ("params.yaml", "metrics/general/render.json", "metrics/general/plan.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to(Path(path).absolute())
    monkeypatch.chdir(tmp_path)
    size_estimate = estimate_for("7b")
    scripted = next(estimate.list_sources(size_estimate))
    groups = sum(sizes.read_section(size_estimate.size, "plan")["groups"].values())
    made = msgspec.json.decode(Path("metrics/general/plan.json").read_bytes())["groups"]
    rendered = estimate.read_rendered_tokens("general")
    assert scripted.trajectories == groups * 5
    assert scripted.tokens == round(rendered.tokens / made * groups)
    assert scripted.known.startswith("modelled")


def test_a_recipe_of_which_nothing_is_known_has_no_estimate_of_its_data(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "params.yaml").symlink_to(Path("params.yaml").absolute())
    monkeypatch.chdir(tmp_path)
    assert list(estimate.list_sources(estimate_for("7b"))) == []
    estimate.main(Path("7b"))
    assert "count_scripted general_large FOLDER" in capsys.readouterr().out


def test_a_training_of_few_steps_is_refused_before_it_is_submitted(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").symlink_to(Path("params.yaml").absolute())
    monkeypatch.chdir(tmp_path)
    render = Path("metrics/7b/render.json")
    render.parent.mkdir(parents=True)
    size = sizes.load("7b")
    for packs in (51, 64 * 200):
        fields = {"packs": packs, "tokens": 1, "tokens_without_sharing": 1, "other": 0}
        render.write_bytes(msgspec.json.encode(fields))
        if packs == 51:
            with pytest.raises(
                BadInput,
                match=r"train 4 optimizer steps .*general_large = 200.*step to 1 at most.*to 251",
            ):
                estimate.check_steps("7b", size)
        else:
            estimate.check_steps("7b", size)


@pytest.mark.parametrize("name", ONE_GPU)
def test_the_data_of_a_size_of_one_gpu_are_enough_steps(name):
    """As committed, a person with one card may train it."""
    estimated = estimate_for(name)
    made = estimate.read_rendered_tokens(estimated.size.recipe)
    assert made
    packs = made.tokens // estimated.length  # as full as they can be, so at least so many
    assert estimated.steps(packs) >= estimated.fewest_steps


@pytest.mark.parametrize("name", SIZES)
def test_a_save_takes_a_small_part_of_the_time_between_two(name):
    size_estimate = estimate_for(name)
    between = size_estimate.save_steps * size_estimate.step_seconds
    assert size_estimate.save_seconds < 0.1 * between


@pytest.mark.parametrize("name", [*ONE_GPU, *SIZES])
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
    assert sections.keys() == given.keys() - {"recipe", "recipes", "sizes"}
    changes = given["recipes"][size.recipe]
    for section, values in sections.items():
        expected = given[section] | changes.get(section, {}) | size.overrides.get(section, {})
        assert values == expected


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
