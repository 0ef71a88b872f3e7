"""A training step says how far it is, and the same step without that gives the same gradients."""

import torch

from agent_tuning.model import tiny_model
from agent_tuning.training.layer_progress import LayerProgress
from tests.conftest import SIZES


def test_every_layer_of_both_passes_moves_the_share_and_no_gradient_changes():
    model = tiny_model.build_model(SIZES, tiny_model.build_tokenizer())
    ids = torch.arange(20)[None]
    expected = gradients(model, ids)
    shares: list[float] = []
    progress = LayerProgress(model, packs=1, report=shares.append)
    progress.start()
    found = gradients(model, ids)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert len(shares) == 2 * SIZES.num_hidden_layers
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1
    progress.stop()
    with torch.no_grad():
        model(ids)
    assert shares[-1] == 0


def gradients(model: torch.nn.Module, ids: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    model(input_ids=ids, labels=ids).loss.backward()
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
