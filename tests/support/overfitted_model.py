"""The tiny model, overfitted on twenty conversations: it can be served, and it calls tools.

`python -m tests.support.overfitted_model FOLDER [BASE]` writes it, with the tokenizer of the folder
BASE, or with that of the tiny model, which has a token for each byte.
"""

import sys
import tempfile
from pathlib import Path

import datasets
from transformers import AutoTokenizer

from agent_tuning.model import base_model, tiny_model
from agent_tuning.model.provenance import Provenance
from agent_tuning.model.tiny_model import TinyModelConfig
from agent_tuning.records import (
    NATIVE,
    Assistant,
    Call,
    Group,
    PromptSpec,
    Tool,
    ToolResult,
    Trajectory,
    Turn,
    User,
)
from agent_tuning.synthesis import history_thoughts
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.loss_weights import LossWeights
from agent_tuning.tokens.render import RenderConfig, render
from agent_tuning.training import export, train_log
from agent_tuning.training.dataset import PackDataset
from agent_tuning.training.trainer import TrainConfig, build_trainer

STEPS = 240
SIZES = TinyModelConfig(
    seed=0,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=2048,
)
TRAIN = TrainConfig(
    seed=1,
    epochs=STEPS,
    packs_per_step=1,
    learning_rate=1e-2,
    warmup_ratio=0.1,
    weight_decay=0.0,
    max_grad_norm=1.0,
    precision="float32",
    activation_checkpointing_every=0,
    gpu_attention="torch",
    liger=False,
    report_to="none",
    first_save_s=90,
    save_steps=10 * STEPS,
    threads=2,
)
WEIGHTS = LossWeights(1.0, 0, 1.0, 1.0, 1.0, 1.0)

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (
    Tool("get_weather", "Weather of a city.", CITY),
    Tool("get_time", "Time in a city.", CITY),
)
PROMPT = PromptSpec("g", "en", TOOLS, NATIVE, NATIVE, NATIVE)
WEATHER, TIME = "get_weather", "get_time"


def call(city: str, *tools: str, thought: str = "Look it up.") -> Assistant:
    return Assistant("call", thought, tuple(Call(tool, {"city": city}) for tool in tools))


def say(text: str) -> Assistant:
    return Assistant("ask" if text.endswith("?") else "no_call", text=text)


def chain(city: str, sky: str, hour: str) -> tuple[Turn, ...]:
    """Two calls, the second one after the result of the first, and a reply."""
    return (
        User(f"Weather in {city}, then the time."),
        call(city, WEATHER),
        ToolResult(WEATHER, {"sky": sky}),
        call(city, TIME, thought="Now the time."),
        ToolResult(TIME, {"time": hour}),
        say(f"{sky}, {hour}"),
    )


CONVERSATIONS: tuple[tuple[Turn, ...], ...] = (
    (
        User("Weather in Oslo?"),
        call("Oslo", WEATHER),
        ToolResult(WEATHER, {"sky": "rain"}),
        say("Rain."),
        User("And in Rome?"),
        call("Rome", WEATHER),
    ),
    (
        User("Weather in Rome?"),
        call("Rome", WEATHER),
        ToolResult(WEATHER, {"sky": "sun"}),
        say("Sun."),
    ),
    (User("Weather in 上海?"), call("上海", WEATHER)),
    (User('Weather in "Old" Town?'), call('"Old" Town', WEATHER)),
    (User("Do I need a coat in Lima?"), call("Lima", WEATHER)),
    (User("What time is it in Oslo?"), call("Oslo", TIME)),
    (User("What time is it in Bonn?"), call("Bonn", TIME)),
    (User("Is it late in Quito?"), call("Quito", TIME)),
    (User("Weather and time in Cork?"), call("Cork", WEATHER, TIME)),
    (User("Both for Oslo, please."), call("Oslo", WEATHER, TIME)),
    chain("Oslo", "rain", "7:00"),
    chain("Rome", "sun", "7:05"),
    chain("Kyiv", "snow", "8:10"),
    (User("How is the weather?"), say("In which city?"), User("Rome."), call("Rome", WEATHER)),
    (User("What is the time?"), say("In which city?"), User("Bonn."), call("Bonn", TIME)),
    (User("Tell me the hour."), say("Where are you?")),
    (User("Thanks!"), say("You are welcome.")),
    (User("Nice weather today."), say("It is.")),
    (User("Sing a song."), say("I only know weather and time.")),
    (User("Do not look up Oslo."), say("As you wish.")),
)


def build_group() -> Group:
    """All conversations, and once more with the histories that servers show: without thoughts."""
    trajectories = [
        Trajectory(f"c{number}", turns, "call", "en") for number, turns in enumerate(CONVERSATIONS)
    ]
    group = Group("g", PROMPT, tuple(trajectories))
    hidden = history_thoughts.hide_earlier_thoughts(group, 1.0, 0)
    known = {trajectory.id for trajectory in trajectories}
    others = [one for one in hidden.trajectories if one.id not in known]
    return Group("g", PROMPT, (*trajectories, *others))


def write_model(folder: Path, words: Path | None = None) -> None:
    """Train it and write a folder as the stage `train` does; about half a minute on one core."""
    tokenizer = AutoTokenizer.from_pretrained(words) if words else tiny_model.build_tokenizer()
    source = Provenance("tiny", "random weights, made here", "unknown")
    with tempfile.TemporaryDirectory() as temporary:
        base, run, packs = (Path(temporary, name) for name in ("base", "run", "packs.parquet"))
        model = tiny_model.build_model(SIZES, tokenizer)
        base_model.save_base_model(model, tokenizer, source, base)
        settings = RenderConfig(
            seed=1, packing="shared", max_len=16384, max_dropped=0, weights=WEIGHTS
        )
        render([build_group()], ChatTokenizer(base / "tokenizer.json"), settings, packs)
        rows = datasets.Dataset.from_parquet(str(packs), cache_dir=str(run / "packs"))
        trainer, _ = build_trainer(
            TRAIN, PackDataset(rows, TRAIN.epochs, TRAIN.seed), base, run, Path()
        )
        trainer.train()
        results = train_log.summarize(train_log.collect_steps(trainer.state.log_history))
        export.save_model(trainer, base, folder, [packs, base], TRAIN, results)
    print(f"{folder}: {train_log.describe(results)}")


if __name__ == "__main__":
    write_model(*map(Path, sys.argv[1:]))
