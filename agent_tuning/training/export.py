"""The folder of a tuned model: weights, tokenizer, and a card that says how they came about."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from huggingface_hub import ModelCardData
from transformers import Trainer

from agent_tuning.files import file_hashes
from agent_tuning.model import provenance
from agent_tuning.records import Record
from agent_tuning.runtime.cache_key import list_input_files
from agent_tuning.training import distributed

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
MAX_SHARD_SIZE = "5GB"  # of a file of weights at most; the default model is one file
CARD_FILE = "README.md"


def save_model(made: Trainer, base: Path, target: Path) -> None:
    """Whole weights as safetensors, with the tokenizer that made the ids. All ranks call it."""
    weights = made.accelerator.get_state_dict(made.model_wrapped)
    if distributed.is_rank0():
        assert made.model is not None
        made.model.config.use_cache = True
        made.model.save_pretrained(target, state_dict=weights, max_shard_size=MAX_SHARD_SIZE)
        for name in TOKENIZER_FILES:
            shutil.copy(base / name, target / name)


def build_model_card(
    base: Path, inputs: Sequence[Path], settings: Record, measured: Mapping[str, float | int]
) -> str:
    """Markdown, the same for the same run: no time, no host, no place."""
    start = provenance.read(base)
    head = ModelCardData(
        base_model=start.name,
        license=start.license.lower(),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["tool-use", "full-parameter-tuning"],
    )
    seen = file_hashes.hash_files(file for path in inputs for file in list_input_files(path))
    hashed = [(Path(name).name, f"`{digest}`") for name, digest in seen.items()]
    chosen = [*msgspec.structs.asdict(settings).items(), ("ranks", distributed.world_size())]
    return f"""---
{head.to_yaml()}
---
# {start.name}, tuned to use tools

All parameters were tuned on conversations with tools by `stages/train.py` of agent-tuning. The
prompt is the one that its `agent_tuning/prompts` writes; how good the answers are stands in the
benchmark's metrics of the same commit.

Base: {start.name}, out of {start.origin}; license: {start.license}, as stated there.

## Made from

{_table("file", "BLAKE2b, first 128 bits", hashed)}

## Parameters

{_table("parameter", "value", chosen)}

## Training

{_table("measured", "value", [(name, round(value, 6)) for name, value in measured.items()])}
"""


def _table(left: str, right: str, rows: Sequence[tuple[str, object]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]
    return "\n".join(lines)
