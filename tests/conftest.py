"""What several tests start from: the tiny model, and a few groups of training data."""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: two test processes share cores

import pytest
import torch
from hypothesis import settings

from agent_tuning.model import tiny_model
from agent_tuning.records import (
    NATIVE,
    Assistant,
    Call,
    Group,
    PromptSpec,
    Tool,
    ToolResult,
    Trajectory,
    User,
)
from tests.support import slurm_cluster
from tests.support.checkout import Checkout

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DS_ACCELERATOR", "cpu")
torch.set_num_threads(1)
settings.register_profile("patient", deadline=None)  # a busy machine is no bug
settings.load_profile("patient")

SIZES = tiny_model.TinyModelConfig(
    seed=0,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=4096,
)

WEATHER = Tool(
    "get_weather",
    "Weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CLOCK = Tool(
    "get_time",
    "Time in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """A stage in this process chooses bf16 products on some CPUs; the next test has exact ones."""
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved tiny model with its tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    words = tiny_model.build_tokenizer()
    tiny_model.build_model(SIZES, words).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with larger weights: `base` says one and the same token to everything."""
    folder = tmp_path_factory.mktemp("lively")
    words = tiny_model.build_tokenizer()
    model = tiny_model.build_model(SIZES, words)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight *= 12
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def slurm() -> Iterator[slurm_cluster.SlurmCluster]:
    """One for all tests: it takes two seconds to start."""
    if problem := slurm_cluster.why_unavailable():
        pytest.skip(f"NO SLURM CLUSTER: {problem}")
    with slurm_cluster.running() as started:
        yield started


@pytest.fixture
def checkout(slurm: slurm_cluster.SlurmCluster, tmp_path: Path) -> Iterator[Checkout]:
    checkout = Checkout(tmp_path, slurm)
    yield checkout
    checkout.stop()


FORMATS = ("react", "autogpt", "hermes")


def prompt_in(reply_format: str) -> PromptSpec:
    """A prompt of two tools in this reply format."""
    native = reply_format == NATIVE
    template, tool_format = (NATIVE, NATIVE) if native else ("plain.en", "react")
    return PromptSpec("p", "en", (WEATHER, CLOCK), template, tool_format, reply_format)


def call(city: str, *, answered: bool = False) -> Trajectory:
    made = Call("get_weather", {"city": city})
    turns = [User(f"Weather in {city}?"), Assistant("call", f"Look up {city}.", (made,))]
    if answered:
        turns += [
            ToolResult("get_weather", {"sky": "clear"}),
            Assistant("no_call", "Tell the user.", text="Clear."),
        ]
    return Trajectory(f"call.{city}", tuple(turns), "call", "en", "get_weather", "now")


def remark(text: str) -> Trajectory:
    turns = (User(text), Assistant("no_call", "Reply.", text="I see."))
    return Trajectory(f"remark.{text}", turns, "on_topic_chat", "en", "get_weather")


@pytest.fixture(scope="session")
def groups() -> list[Group]:
    return some_groups()


def some_groups() -> list[Group]:
    """Six groups of three, over the three reply formats."""
    return [
        Group(
            id=f"g{number}",
            prompt=PromptSpec(
                f"g{number}", "en", (WEATHER, CLOCK), "plain.en", "react", FORMATS[number % 3]
            ),
            trajectories=(
                call(f"Oslo{number}"),
                call(f"Rome{number}", answered=True),
                remark(f"Nice day {number}."),
            ),
        )
        for number in range(6)
    ]
