"""The chunked loss is torch's own cross-entropy, and so are its gradients."""

import pytest
import torch
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from agent_tuning.model import loss
from agent_tuning.model.loss import ChunkedCrossEntropy, attach_loss_head, supervised_loss

WORDS, WIDTH = 70, 12


def problem(count: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Hidden states, vocabulary, targets, weights."""
    torch.manual_seed(seed)
    return (
        torch.randn(count, WIDTH, requires_grad=True),
        torch.randn(WORDS, WIDTH, requires_grad=True),
        torch.randint(WORDS, (count,)),
        torch.rand(count) * 4,
    )


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 40])
def test_loss_and_gradients_are_those_of_all_logits_at_once(count, monkeypatch):
    monkeypatch.setattr(loss, "CHUNK", 8)
    hidden, words, targets, weights = problem(count)
    ours = ChunkedCrossEntropy.apply(hidden, words, targets, weights)
    gradients = torch.autograd.grad(ours * 3, (hidden, words))
    each = F.cross_entropy(hidden @ words.t(), targets, reduction="none")
    theirs = (each * weights).sum()
    expected = torch.autograd.grad(theirs * 3, (hidden, words))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients, expected)


def test_under_autocast_products_alone_are_rounded():
    hidden, words, targets, weights = problem(20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = ChunkedCrossEntropy.apply(hidden, words, targets, weights)
        theirs = F.cross_entropy((hidden @ words.t()).float(), targets, reduction="none")
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, (theirs * weights).sum())
    ours.backward()
    assert hidden.grad.dtype == words.grad.dtype == torch.float32


def test_no_more_than_a_chunk_of_logits_is_made(monkeypatch):
    monkeypatch.setattr(loss, "CHUNK", 8)
    sizes = []
    inner = loss._compute_loss
    monkeypatch.setattr(loss, "_compute_loss", lambda *x: sizes.append(len(x[0])) or inner(*x))
    ChunkedCrossEntropy.apply(*problem(20))
    assert sizes == [8, 8, 4]


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_with_the_head_has_its_old_weights_and_gradients(tied):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config)
    names, ids = list(model.state_dict()), torch.randint(WORDS, (1, 9))
    logits = model(ids).logits[0]
    F.cross_entropy(logits, ids[0], reduction="sum").backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    attach_loss_head(model)
    torch.testing.assert_close(model(ids).logits[0], logits)
    supervised_loss(model, {"input_ids": ids}, ids[0], torch.ones(9)).backward()
    torch.testing.assert_close(model(ids).logits[0], logits)
    assert list(model.state_dict()) == names
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    torch.testing.assert_close(gradients, expected)
