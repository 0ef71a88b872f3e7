"""Cross-entropy at supervised positions, without all of their logits at once.

A row of 4096 tokens over a vocabulary of 152,000 has 2.5 GB of float32 logits. Here a chunk of them
lives at a time, and its gradient is taken while it does, so that nothing is computed twice.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

CHUNK = 1024  # positions whose logits are in memory together


class ChunkedCrossEntropy(torch.autograd.Function):
    """hidden [n, width], vocabulary [words, width], targets [n], weights [n] -> a scalar.

    The sum of weight x cross-entropy. Products are in autocast's precision, the rest is float32.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, vocabulary: Tensor, *truth: Tensor) -> Tensor:
        device = hidden.device.type
        autocast = torch.is_autocast_enabled(device)
        precision = torch.get_autocast_dtype(device) if autocast else vocabulary.dtype
        with torch.autocast(device, enabled=False):
            words = vocabulary.to(precision)
            by_hidden: list[Tensor] = []
            by_words: list[Tensor] = []  # one sum
            total = hidden.new_zeros((), dtype=torch.float32)
            for part, targets, weights in zip(
                *(torch.split(x, CHUNK) for x in (hidden.to(precision), *truth)), strict=True
            ):
                loss, gradient = _loss((part @ words.t()).float(), targets)
                total += (loss * weights).sum()
                # Weighed are the narrow factors: one pass over the gradient of all words less.
                by_logits, each = gradient.to(precision), weights[:, None]
                by_hidden.append(by_logits @ words * each)
                product = by_logits.t() @ (part * each).to(precision)
                by_words = [one.to(vocabulary.dtype).add_(product) for one in by_words] or [product]
        ctx.save_for_backward(torch.cat(by_hidden), *by_words)
        return total

    @staticmethod
    def backward(ctx: Any, *by_total: Tensor) -> tuple[Tensor | None, ...]:
        by_hidden, by_words = ctx.saved_tensors
        scale = by_total[0]
        return by_hidden.mul_(scale), by_words.mul_(scale), None, None


def _loss(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy [n] of a chunk, and each one's gradient by its own logits [n, words]."""
    each = torch.arange(len(targets), device=targets.device)
    likely = logits.log_softmax(-1)
    loss = -likely[each, targets]
    gradient = likely.exp_()
    gradient[each, targets] -= 1
    return loss, gradient


class LossHead(nn.Linear):
    """The vocabulary projection; with `truth`, the loss comes out in place of the logits.

    Inside the module's own forward, so that ZeRO-3 gathers the weights once for all chunks: ranks
    have different numbers of them, and would wait for each other otherwise.
    """

    targets_and_weights: tuple[Tensor, Tensor] | None = (
        None  # the next call's targets and weights, [n] each
    )

    def forward(self, hidden: Tensor) -> Tensor:
        if self.targets_and_weights is None:
            return super().forward(hidden)
        loss: Tensor = ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            hidden[0], self.weight, *self.targets_and_weights
        )
        return loss


def attach_loss_head(model: PreTrainedModel) -> LossHead:
    """Give the model a head that can compute the loss; the weights stay its own."""
    old = model.get_output_embeddings()
    head = LossHead(old.in_features, old.out_features, bias=False, device="meta")
    head.weight = old.weight
    model.set_output_embeddings(head)
    return head
