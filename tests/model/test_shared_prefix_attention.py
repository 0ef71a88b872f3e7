"""Shared-prefix packs give the loss and the gradients of one trajectory per row."""

import random
import tempfile
from typing import NamedTuple

import pytest
import torch
from torch.nn import functional as F
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from agent_tuning.model import tiny_model
from agent_tuning.model.shared_prefix_attention import BLOCK, SHARED_PREFIX
from agent_tuning.tokens import packing
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.loss_weights import LossWeights, encode_trajectory
from agent_tuning.tokens.pack_file import Pack
from agent_tuning.tokens.packing import WeightedTokens
from agent_tuning.tokens.token_store import TokenStore
from agent_tuning.training.dataset import collate
from tests.conftest import SIZES

SHAPE = {
    "vocab_size": len(tiny_model.build_tokenizer()),
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
WEIGHTS = LossWeights(
    opening=1.0, opening_tokens=0, thought=1.0, name=1.0, arguments=1.0, negative=1.0
)
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config),
}


class Encoded(NamedTuple):
    prefix: list[int]
    branches: list[WeightedTokens]


def model(family: str, attention: str) -> torch.nn.Module:
    kind, config = MODELS[family]
    torch.manual_seed(SIZES.seed)
    network = kind(config(**SHAPE))
    network.set_attn_implementation(attention)
    return network


@pytest.fixture(scope="module")
def encoded(base, groups) -> list[Encoded]:
    chat = ChatTokenizer(base / "tokenizer.json")
    return [
        Encoded(
            chat.prefix(group.prompt),
            [
                encode_trajectory(trajectory, group, chat, WEIGHTS)
                for trajectory in group.trajectories
            ],
        )
        for group in groups[:3]
    ]


def packed(groups: list[Encoded], kind: str, max_len: int) -> list[Pack]:
    with tempfile.TemporaryFile() as file:
        store = TokenStore(file)
        lengths = [store.add(*group) for group in groups]
        return [
            packing.build_pack(contents, store.read)
            for contents in packing.plan_packs(lengths, kind, max_len, 0)
        ]


def batch_of(row: Pack) -> dict:
    spans = [[span.prefix, *span.branches] for span in row.spans]
    return collate([{**row._asdict(), "spans": spans}])


def packed_loss(network: torch.nn.Module, rows: list[Pack]) -> torch.Tensor:
    total, count = torch.tensor(0.0), 0
    for row in rows:
        batch = batch_of(row)
        targets = batch.pop("labels")[0, 1:]
        batch.pop("weights")
        logits = network(**batch, use_cache=False).logits[0]
        total = total + F.cross_entropy(logits, targets, reduction="sum")
        count += len(targets)
    return total / count


def plain_loss(network: torch.nn.Module, groups: list[Encoded]) -> torch.Tensor:
    """One trajectory per row, as everyone trains."""
    total, count = torch.tensor(0.0), 0
    for group in groups:
        for branch in group.branches:
            ids = torch.tensor([group.prefix + branch.ids])
            trained = torch.tensor([0.0] * len(group.prefix) + branch.weights) > 0
            logits = network(input_ids=ids, use_cache=False).logits[0]
            labels = ids[0, trained]
            wanted = logits[trained.nonzero()[:, 0] - 1]
            total = total + F.cross_entropy(wanted, labels, reduction="sum")
            count += len(labels)
    return total / count


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize(
    ("kind", "max_len"),
    [("shared", 100_000), ("shared", 900), ("plain", 2000), ("none", 900)],
    ids=["groups share a pack", "a group is split", "plain packs", "rows of their own"],
)
def test_loss_and_gradients_are_those_of_one_trajectory_per_row(family, kind, max_len, encoded):
    check_equal(family, packed(encoded, kind, max_len), encoded)


def check_equal(family: str, rows: list[Pack], groups: list[Encoded]) -> None:
    packed, plain = model(family, SHARED_PREFIX), model(family, "sdpa")
    ours, theirs = packed_loss(packed, rows), plain_loss(plain, groups)
    ours.backward()
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    for (name, a), b in zip(packed.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("kind", packing.PACKINGS)
def test_loss_and_gradients_are_equal_for_any_groups(family, kind):
    draw = random.Random(f"{family}:{kind}")
    groups = []
    for prefix in (1, BLOCK, BLOCK + 44):  # a prefix of one block, and of a block and a part
        branches = []
        for length in (2, draw.randrange(3, 9), draw.randrange(9, 40)):
            ids = [draw.randrange(SHAPE["vocab_size"]) for _ in range(length)]
            # As in a conversation of several turns: trained, not trained, trained again.
            weights = [0.0] + [float(draw.random() < 0.5) for _ in ids[2:]] + [1.0]
            branches.append(WeightedTokens(ids, weights))
        groups.append(Encoded([draw.randrange(SHAPE["vocab_size"])] * prefix, branches))
    rows = packed(groups, kind, BLOCK + 90)
    assert kind == "none" or len(rows) > 1
    check_equal(family, rows, groups)


def test_no_branch_sees_another(encoded):
    group = encoded[0]
    network = model("llama", SHARED_PREFIX).eval()
    changed = group.branches[1]._replace(ids=group.branches[1].ids[::-1])
    other = group._replace(branches=[group.branches[0], changed, *group.branches[2:]])
    before, after = (logits(network, *packed([g], "shared", 100_000)) for g in (group, other))
    start = len(group.prefix) + len(group.branches[0].ids)
    stop = start + len(changed.ids)
    torch.testing.assert_close(before[:start], after[:start], rtol=0, atol=0)
    torch.testing.assert_close(before[stop:], after[stop:], rtol=0, atol=0)
    assert not torch.allclose(before[start:stop], after[start:stop])


def test_every_branch_sees_its_prefix(encoded):
    group = encoded[0]
    network = model("llama", SHARED_PREFIX).eval()
    other = group._replace(prefix=[group.prefix[1], *group.prefix[1:]])
    before, after = (logits(network, *packed([g], "shared", 100_000)) for g in (group, other))
    position = len(group.prefix)
    for branch in group.branches:
        part = slice(position, position + len(branch.ids))
        assert not torch.allclose(before[part], after[part])
        position += len(branch.ids)


@torch.no_grad()
def logits(network: torch.nn.Module, row: Pack) -> torch.Tensor:
    batch = batch_of(row)
    kept = ("input_ids", "position_ids", "layout")
    return network(**{key: batch[key] for key in kept}, use_cache=False).logits[0]


def test_the_test_groups_have_branches_of_several_turns(encoded):
    assert any(sum(map(bool, b.weights)) > 60 for group in encoded for b in group.branches)
