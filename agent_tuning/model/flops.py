"""What a model costs, from its config alone: no weight is read or made."""

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM


class ModelShape(NamedTuple):
    """Parameters in a layer, in all layers with the last norm, and in the vocabulary projection.

    `attention`: layers x heads x width of a head; two products of this size for each key that a
    token sees.
    """

    layer: int
    body: int
    head: int
    attention: int

    def flops(self, tokens: int, supervised: int, seen: int) -> int:
        """Of a forward and a backward pass, by the causal convention.

        2 for each weight and token, the vocabulary projection on the supervised positions only;
        4 x `attention` for each of the `seen` keys, summed over tokens; twice as much backward.
        Recomputed activations do not count.
        """
        return 6 * (self.body * tokens + self.head * supervised) + 12 * self.attention * seen


def read_model_shape(base: Path) -> ModelShape:
    config = AutoConfig.from_pretrained(base, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    inner = model.get_decoder()
    embedding = inner.get_input_embeddings().weight.numel()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return ModelShape(
        layer=sum(weight.numel() for weight in inner.layers[0].parameters()),
        body=sum(weight.numel() for weight in inner.parameters()) - embedding,
        head=model.get_output_embeddings().weight.numel(),
        attention=config.num_hidden_layers * config.num_attention_heads * width,
    )
