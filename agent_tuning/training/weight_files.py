"""Weights that ZeRO-3 divides among ranks, written as transformers writes them: file by file.

They are gathered one at a time, and a file is written as soon as it is full. So rank 0 holds one
file of them, not all (145 GB of a 72B model), and no rank waits for another one for long.
"""

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

from agent_tuning.training import distributed

INDEX_FILE = "model.safetensors.index.json"


def can_write_by_file(model: PreTrainedModel) -> bool:
    """False if files name other tensors than the model: those of experts, which it keeps as one."""
    shapes = read_shapes(model)
    written: dict[str, Tensor] = revert_weight_conversion(model, dict(shapes))
    return written.keys() == shapes.keys()


def read_shapes(model: PreTrainedModel) -> dict[str, Tensor]:
    """Every weight without its numbers, as it is when it is whole. Tied weights are there once."""
    return {
        name: torch.empty(
            getattr(weight, "ds_shape", weight.shape), dtype=weight.dtype, device="meta"
        )
        for name, weight in model.named_parameters()
    }


def write(model: PreTrainedModel, folder: Path | None, max_shard_size: str) -> None:
    """Write the weights into a folder, and their index if they are several files.

    Every rank must call it; only rank 0 gives a folder.
    """
    weights = dict(model.named_parameters())
    plan = split_torch_state_dict_into_shards(read_shapes(model), max_shard_size=max_shard_size)
    for file, names in plan.filename_to_tensors.items():
        shard: dict[str, Tensor] = {}
        for name in names:
            with _gather(weights[name]):
                if folder:
                    shard[name] = weights[name].detach().to("cpu", copy=True).contiguous()
        if folder:
            save_file(shard, folder / file, metadata={"format": "pt"})
    if folder and plan.is_sharded:
        parameters = sum(shape.numel() for shape in read_shapes(model).values())
        metadata = {"total_parameters": parameters, **plan.metadata}
        index = {"metadata": metadata, "weight_map": plan.tensor_to_filename}
        text = json.dumps(index, indent=2, sort_keys=True)
        (folder / INDEX_FILE).write_text(text + "\n", encoding="utf-8")


def allow_reading(folder: Path) -> None:
    """Give files the modes that new files have: safetensors keeps its own from everybody else."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.iterdir():
        path.chmod(0o666 & ~mask)


def _gather(weight: torch.nn.Parameter) -> Any:
    """A context in which the weight is whole on every rank."""
    if distributed.world_size() == 1:
        return nullcontext()
    from deepspeed.runtime.zero import GatheredParameters

    return GatheredParameters([weight])
