"""What is computed again is not stored, and gives the same bytes."""

import torch
from torch import Tensor

from agent_tuning.model import tiny_model
from agent_tuning.model.loss import attach_loss_head, supervised_loss
from agent_tuning.model.recompute import recompute, recompute_cheap_activations
from agent_tuning.model.shared_prefix_attention import SHARED_PREFIX, PackLayout
from agent_tuning.tokens.pack_file import Span
from tests.conftest import SIZES

SPAN = Span(40, (30, 20))


def run_step(*, cheap: bool) -> tuple[list[Tensor], int]:
    """The gradients of a step, and how many bytes of activations it stored."""
    model = tiny_model.build_model(SIZES, tiny_model.build_tokenizer())
    model.set_attn_implementation(SHARED_PREFIX)
    attach_loss_head(model)
    if cheap:
        recompute_cheap_activations(model)
    layout = PackLayout([SPAN])
    ids = torch.arange(90)[None]
    stored: dict[int, int] = {}

    def store(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        stored[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = {
        "input_ids": ids,
        "position_ids": layout.positions(),
        "layout": layout,
        "logits_to_keep": torch.arange(90),
        "use_cache": False,
    }
    with torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor):
        loss = supervised_loss(model, inputs, ids[0], torch.ones(90))
    loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    return gradients, sum(stored.values())


def test_a_step_stores_less_and_has_the_same_gradients(monkeypatch):
    found, less = run_step(cheap=True)
    name = "agent_tuning.model.shared_prefix_attention.recompute"
    monkeypatch.setattr(name, lambda function, *inputs: function(*inputs))
    expected, more = run_step(cheap=False)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert less < 0.8 * more


def test_without_gradients_nothing_is_wrapped():
    with torch.no_grad():
        assert recompute(lambda x: x + 1, torch.zeros(1)).tolist() == [1.0]
