"""Parameters and FLOPs of a model, from its config alone: no weight is read or made."""

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from agent_tuning.model.load_model import explain_damage


class ModelShape(NamedTuple):
    """Numbers of parameters, and the size of attention.

    `layer`: of one layer. `body`: of all layers and the last norm. `head`: of the vocabulary
    projection. `attention`: layers x heads x width of a head; a token costs two products of this
    size for each key that it attends to.
    """

    layer: int
    body: int
    head: int
    attention: int

    def flops(self, tokens: int, supervised: int, seen: int) -> int:
        """FLOPs of a forward and a backward pass, by the causal convention.

        `seen`: keys that a token attends to, summed over tokens. The forward pass costs 2 for each
        weight and token (the vocabulary projection at the supervised positions only) and
        4 x `attention` for each key seen. The backward pass costs twice as much. Recomputed
        activations do not count.
        """
        return 6 * (self.body * tokens + self.head * supervised) + 12 * self.attention * seen


def read_model_shape(base: Path) -> ModelShape:
    """Read config.json of the model in the folder `base`. Raises BadInput if it is damaged."""
    with explain_damage(base):
        return _count_parameters(AutoConfig.from_pretrained(base, local_files_only=True))


def _count_parameters(config: PretrainedConfig) -> ModelShape:
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
