"""The folder of a tuned model: weights, tokenizer, and a card with its inputs and parameters."""

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
MAX_SHARD_SIZE = "5GB"  # of one file of weights; the default model is one file
CARD_FILE = "README.md"
# For a model whose native prompts were trained. FOLDER is the folder of the model.
SERVING = """
## Serve it

A client sends `messages` and `tools`. `chat_template.jinja` writes the prompt from them: the same
bytes as in training, if the recipe trains native prompts. FOLDER is this folder.

```sh
transformers serve FOLDER
vllm serve FOLDER --enable-auto-tool-choice --tool-call-parser hermes
```

## Call it

```python
from openai import OpenAI

client = OpenAI(base_url="http://localhost:8000/v1", api_key="none")
tool = {"name": "get_time", "description": "Time in a city.", "parameters": {"type": "object"}}
messages = [{"role": "user", "content": "What time is it in Oslo?"}]
tools = [{"type": "function", "function": tool}]
reply = client.chat.completions.create(model="FOLDER", messages=messages, tools=tools)
print(reply.choices[0].message)
```
"""


def save_model(trainer: Trainer, base: Path, target: Path) -> None:
    """Write all weights as safetensors, and the tokenizer of `base`. Every rank must call it."""
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if distributed.is_rank0():
        assert trainer.model is not None
        trainer.model.config.use_cache = True
        trainer.model.save_pretrained(target, state_dict=weights, max_shard_size=MAX_SHARD_SIZE)
        for name in TOKENIZER_FILES:
            shutil.copy(base / name, target / name)


def write_model_card(
    target: Path,
    base: Path,
    inputs: Sequence[Path],
    config: Record,
    results: Mapping[str, float | int],
) -> None:
    """Write README.md of a model: the same bytes on every machine, without time, host or path."""
    source = provenance.read(base)
    head = ModelCardData(
        base_model=source.name,
        license=source.license.lower(),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["tool-use", "full-parameter-tuning"],
    )
    digests = file_hashes.hash_files(file for path in inputs for file in list_input_files(path))
    files = [(Path(name).name, f"`{digest}`") for name, digest in digests.items()]
    parameters = [*msgspec.structs.asdict(config).items(), ("ranks", distributed.world_size())]
    card = f"""---
{head.to_yaml()}
---
# {source.name}, tuned to use tools

All parameters were tuned on conversations with tools by `stages/train.py` of agent-tuning. How good
the answers are is in the benchmark's metrics of the same commit.

Base: {source.name}, out of {source.origin}; license: {source.license}, as stated there.
{SERVING}
## Made from

{_format_table("file", "BLAKE2b, first 128 bits", files)}

## Parameters

{_format_table("parameter", "value", parameters)}

## Training

{_format_table("measured", "value", [(name, round(value, 6)) for name, value in results.items()])}
"""
    (target / CARD_FILE).write_text(card, encoding="utf-8")


def _format_table(left: str, right: str, rows: Sequence[tuple[str, object]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]
    return "\n".join(lines)
