"""Weighted cross-entropy at supervised positions, without all of their logits in memory at once.

A row of 4096 tokens over a vocabulary of 152,000 has 2.5 GB of float32 logits. Here the logits are
computed in chunks. The gradient of a chunk is taken while its logits are there, so that nothing is
computed twice.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

CHUNK = 1024  # positions whose logits are in memory together


class ChunkedCrossEntropy(torch.autograd.Function):
    """The sum of weight x cross-entropy, a scalar.

    hidden [n, width], vocabulary [words, width], targets [n], weights [n]. Matrix products are in
    autocast's precision, all else in float32.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, vocabulary: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        device = hidden.device.type
        autocast = torch.is_autocast_enabled(device)
        precision = torch.get_autocast_dtype(device) if autocast else vocabulary.dtype
        with torch.autocast(device, enabled=False):
            words = vocabulary.to(precision)
            by_hidden: list[Tensor] = []
            by_words: Tensor | None = None  # the sum of the chunks so far
            total = hidden.new_zeros((), dtype=torch.float32)
            rows = (hidden.to(precision), targets, weights)
            for chunk, target, weight in zip(*(torch.split(x, CHUNK) for x in rows), strict=True):
                loss, gradient = _compute_loss((chunk @ words.t()).float(), target)
                total += (loss * weight).sum()
                # The weights multiply the narrow factors, not the gradient of all words.
                by_logits, column = gradient.to(precision), weight[:, None]
                by_hidden.append(by_logits @ words * column)
                product = by_logits.t() @ (chunk * column).to(precision)
                if by_words is None:
                    by_words = product
                else:
                    by_words = by_words.to(vocabulary.dtype).add_(product)
        ctx.save_for_backward(torch.cat(by_hidden), by_words)
        return total

    @staticmethod
    def backward(ctx: Any, *by_total: Tensor) -> tuple[Tensor | None, ...]:
        by_hidden, by_words = ctx.saved_tensors
        scale = by_total[0]
        return by_hidden.mul_(scale), by_words.mul_(scale), None, None


def _compute_loss(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy [n] of a chunk, and its gradient by the logits [n, words]."""
    rows = torch.arange(len(targets), device=targets.device)
    # In place: the logits are the largest tensor of a step.
    log_probabilities = torch.log_softmax(logits, -1, out=logits)
    loss = -log_probabilities[rows, targets]
    gradient = log_probabilities.exp_()
    gradient[rows, targets] -= 1
    return loss, gradient


class LossHead(nn.Linear):
    """The vocabulary projection. With `targets_and_weights` it returns the loss, not the logits.

    The loss is computed inside this module's forward, so that ZeRO-3 gathers the weights once for
    all chunks. Ranks have different numbers of chunks, and would wait for each other otherwise.
    """

    targets_and_weights: tuple[Tensor, Tensor] | None = None  # of the next call, [n] each

    def forward(self, hidden: Tensor) -> Tensor:
        if self.targets_and_weights is None:
            return super().forward(hidden)
        loss: Tensor = ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            hidden[0], self.weight, *self.targets_and_weights
        )
        return loss


def attach_loss_head(model: PreTrainedModel) -> None:
    """Replace the model's vocabulary projection by one that can compute the loss; same weights."""
    old = model.get_output_embeddings()
    head = LossHead(old.in_features, old.out_features, bias=False, device="meta")
    head.weight = old.weight
    model.set_output_embeddings(head)


def supervised_loss(
    model: nn.Module, inputs: Mapping[str, Any], targets: Tensor, weights: Tensor
) -> Tensor:
    """The sum of weight x cross-entropy over the supervised positions of a row, a float32 scalar.

    `model` has a loss head (`attach_loss_head`); it may be wrapped, as by DeepSpeed. `inputs` are
    the keyword arguments of its forward pass, with one row. Their `logits_to_keep` are the n
    positions that predict `targets` [n]; each counts with its weight in `weights` [n].
    """
    (head,) = (module for module in model.modules() if isinstance(module, LossHead))
    head.targets_and_weights = targets, weights
    loss: Tensor = model(**inputs).logits  # what the head returned
    head.targets_and_weights = None
    return loss
