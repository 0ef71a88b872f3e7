"""The folder of a tuned model: weights, tokenizer, and a card with its inputs and parameters."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import msgspec
from huggingface_hub import ModelCardData
from safetensors import SafetensorError
from transformers import Trainer

from agent_tuning.files import atomic_write, file_hashes
from agent_tuning.model import provenance
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.cache_key import list_input_files
from agent_tuning.tokens.tokenizer_file import read_tokenizer
from agent_tuning.training import distributed, weight_files

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


def check_tokenizer(base: Path) -> None:
    """Raise BadInput unless `base` has the files that `save_model` copies after hours of work."""
    for name in TOKENIZER_FILES:
        if not (base / name).exists():
            raise BadInput(f"{base / name}: missing tokenizer; run `dvc repro fetch`")
    read_tokenizer(base / TOKENIZER_FILES[0])


def save_model(
    trainer: Trainer,
    base: Path,
    target: Path,
    inputs: Sequence[Path],
    config: Record,
    results: Mapping[str, float | int],
) -> None:
    """Write all weights as safetensors, the tokenizer of `base` and the card, or nothing.

    Every rank must call it, and leaves it when all is written: torchrun ends a rank that waits for
    another one to end. Raises BadInput if the disk is full.
    """
    model = trainer.model
    assert model is not None
    by_file = distributed.world_size() > 1 and weight_files.can_write_by_file(model)
    weights = {} if by_file else trainer.accelerator.get_state_dict(trainer.model_wrapped)
    first = distributed.is_rank0()
    writing = atomic_write.replacing(target, SafetensorError) if first else nullcontext(None)
    with writing as partial:
        if partial:
            model.config.use_cache = True
            model.save_pretrained(partial, state_dict=weights, max_shard_size=MAX_SHARD_SIZE)
        if by_file:
            weight_files.write(model, partial, MAX_SHARD_SIZE)
        if partial:
            weight_files.allow_reading(partial)
            for name in TOKENIZER_FILES:
                shutil.copy(base / name, partial / name)
            card = build_model_card(base, inputs, config, results)
            (partial / CARD_FILE).write_text(card, encoding="utf-8")
    distributed.wait_for_all()


def build_model_card(
    base: Path, inputs: Sequence[Path], config: Record, results: Mapping[str, float | int]
) -> str:
    """README.md of a model: the same bytes on every machine, without time, host or path."""
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
    return f"""---
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


def _format_table(left: str, right: str, rows: Sequence[tuple[str, object]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]
    return "\n".join(lines)
