"""What a model costs is read from its config, and agrees with the model."""

import datasets
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from agent_tuning.model.flops import ModelShape, read_model_shape
from agent_tuning.records import BadInput
from agent_tuning.training import zero3
from agent_tuning.training.dataset import PackDataset
from agent_tuning.training.throughput import ThroughputLog
from tests.conftest import SIZES

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def test_the_parts_of_the_tiny_model_are_its_parameters(base):
    model = AutoModelForCausalLM.from_pretrained(base)
    shape = read_model_shape(base)
    embedding = model.get_input_embeddings().weight.numel()
    assert shape.body == sum(weight.numel() for weight in model.model.parameters()) - embedding
    assert shape.head == embedding  # the tiny model shares it
    assert shape.body == SIZES.num_hidden_layers * shape.layer + SIZES.hidden_size
    assert shape.attention == SIZES.num_hidden_layers * SIZES.hidden_size


@pytest.mark.parametrize("width", [4, 8], ids=["as wide as the model", "wider heads"])
def test_heads_of_their_own_width_count_with_it(tmp_path, width):
    Qwen3Config(**SMALL, head_dim=width).save_pretrained(tmp_path)
    assert read_model_shape(tmp_path).attention == 3 * 4 * width


def test_a_projection_of_its_own_is_no_part_of_the_body(tmp_path):
    LlamaConfig(**SMALL, tie_word_embeddings=False).save_pretrained(tmp_path)
    assert read_model_shape(tmp_path).head == 50 * 16


def test_flops_are_those_that_torch_counts(tmp_path):
    """Forward: the keys that a causal row's tokens see are the lower triangle of what runs."""
    from torch.utils.flop_counter import FlopCounterMode

    LlamaConfig(**SMALL).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SMALL), attn_implementation="eager")
    tokens = 10
    with FlopCounterMode(display=False) as counted:
        model(torch.arange(tokens)[None])
    shape = read_model_shape(tmp_path)
    square = shape.flops(tokens, tokens, tokens * tokens) / 3
    norms = 2 * tokens * (2 * 3 + 1) * 16  # no matrix products: torch does not count them
    rotations = 2 * 2 * tokens * 2  # of positions with frequencies: no weights
    assert counted.get_total_flops() == pytest.approx(square - norms, abs=rotations)


def test_three_layers_may_be_whole_and_one_is_fetched_ahead(tmp_path):
    file = tmp_path / "zero3.json"
    file.write_text('{"zero_optimization": {"stage": 3}}')
    large = zero3.build_deepspeed_config(file, ModelShape(878_000_000, 0, 0, 0))[
        "zero_optimization"
    ]
    assert large["stage3_prefetch_bucket_size"] == 878_000_000
    assert large["stage3_max_live_parameters"] == 3 * 878_000_000
    assert (
        zero3.build_deepspeed_config(file, ModelShape(7, 0, 0, 0))["zero_optimization"]["stage"]
        == 3
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"zero_optimization": {"stage": 3', "expected JSON: Input data was truncated"),
        (b'{"\xff": 3}', "expected JSON: 'utf-8' codec"),
        (b"{}", "expected DeepSpeed's JSON with zero_optimization"),
    ],
)
def test_no_settings_of_deepspeed_is_one_clear_line(tmp_path, text, problem):
    (tmp_path / "zero3.json").write_bytes(text)
    with pytest.raises(BadInput, match=f"zero3.json: {problem}"):
        zero3.build_deepspeed_config(tmp_path / "zero3.json", ModelShape(1, 1, 1, 1))


class Clock:
    """`time` that goes on by two seconds whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 2
        return self.now


def test_the_note_says_what_was_trained_in_the_time(tmp_path, monkeypatch):
    row = {"ids": [1] * 6, "weights": [0.0] * 4 + [1.0] * 2, "spans": [[3, 3]]}
    rows = PackDataset(datasets.Dataset.from_list([row] * 2), 1, 0)
    monkeypatch.setattr("agent_tuning.training.throughput.time", Clock())
    monkeypatch.setattr("agent_tuning.training.throughput.find_peak_flops", lambda: 1e6)
    speed = ThroughputLog(tmp_path / "speed.jsonl", rows, 2, ModelShape(1, 100, 10, 1))
    speed.start()
    speed.step(1)
    flops = 6 * (100 * 12 + 10 * 4) + 12 * 2 * 21
    assert speed.note() == f"6 tokens/s, 2 supervised/s, MFU {flops / 2 / 1e6:.1%} (causal)"
