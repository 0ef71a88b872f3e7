"""Activations that cost little to compute are computed again in the backward pass, not stored.

Attention weights, the inner activations of the feed-forward layers and normalized hidden states are
more than half of what a step stores. The backward pass runs the same operations in the same order,
so gradients keep their bytes.
"""

from collections.abc import Callable
from functools import partial
from types import MethodType

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recompute(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`function` of the inputs. In training only the inputs are stored, not what lies between."""
    if not torch.is_grad_enabled():
        return function(*inputs)
    output: Tensor = checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
    return output


def recompute_cheap_activations(model: nn.Module) -> None:
    """Store the factors of gated feed-forward layers, not their product; of norms, the inputs."""
    for module in model.modules():
        if hasattr(module, "variance_epsilon"):  # what transformers' RMSNorms have
            module.forward = partial(recompute, module.forward)
        if all(hasattr(module, name) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")):
            module.forward = MethodType(_forward_gated, module)


def _forward_gated(self: nn.Module, hidden: Tensor) -> Tensor:
    def project_down(gate: Tensor, up: Tensor) -> Tensor:
        output: Tensor = self.down_proj(self.act_fn(gate) * up)  # type: ignore[operator]
        return output

    return recompute(project_down, self.gate_proj(hidden), self.up_proj(hidden))  # type: ignore[operator]
