"""Groups to packs: prompts and trajectories as weighted tokens, several groups a row."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from agent_tuning.records import Group, Record
from agent_tuning.tokens import pack_file, packing
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.loss_weights import LossWeights, encode_trajectory
from agent_tuning.tokens.packing import Bin, GroupLengths
from agent_tuning.tokens.token_store import TokenStore


class RenderConfig(Record, frozen=True):
    seed: int
    packing: Literal["shared", "plain", "none"]
    max_len: int
    weights: LossWeights


def render(
    groups: Iterable[Group], chat: ChatTokenizer, config: RenderConfig, target: Path
) -> dict[str, float]:
    """Write the packs of all groups to `target`; return metrics of the packing.

    Tokens wait in a temporary file until the packs are planned: they need not fit into memory.
    """
    with tempfile.TemporaryFile() as file:
        store = TokenStore(file)
        lengths = encode_groups(groups, chat, config.weights, store)
        bins = packing.plan_packs(lengths, config.packing, config.max_len, config.seed)
        packs = (packing.build_pack(contents, store.read) for contents in bins)
        trained = pack_file.write(target, packs)
    return measure_packing(lengths, bins, config.max_len) | {"supervised_tokens": trained}


def encode_groups(
    groups: Iterable[Group], chat: ChatTokenizer, weights: LossWeights, store: TokenStore
) -> list[GroupLengths]:
    """Put the tokens of every group into `store`; return the lengths, in the order of `groups`."""
    return [
        store.add(
            chat.prefix(group.prompt),
            [
                encode_trajectory(trajectory, group, chat, weights)
                for trajectory in group.trajectories
            ],
        )
        for group in groups
    ]


def measure_packing(groups: list[GroupLengths], bins: list[Bin], max_len: int) -> dict[str, float]:
    """Sizes of the packs, and what sharing prompts saved; {} if there is no pack.

    `prefix_sharing_ratio`: tokens without sharing / tokens. `packing_efficiency`: share of the
    rows that is used (0-1).
    `pairs_spread`: attention cost of the most expensive pack / mean cost. `too_long`: trajectories
    left out because they do not fit into a row.
    """
    if not bins:
        return {}
    rows = [[group.span for group in contents] for contents in bins]
    tokens = sum(span.tokens for row in rows for span in row)
    tokens_without_sharing = sum(
        group.prefix.tokens + branch.tokens for group in groups for branch in group.branches
    )
    costs = [sum(span.attention_pairs for span in row) for row in rows]
    packed = sum(len(span.branches) for row in rows for span in row)
    return {
        "packs": len(bins),
        "tokens": tokens,
        "tokens_without_sharing": tokens_without_sharing,
        "prefix_sharing_ratio": tokens_without_sharing / tokens,
        "packing_efficiency": tokens / (len(bins) * max_len),
        "attention_cost_max_over_mean": max(costs) * len(costs) / sum(costs),
        "too_long": sum(len(group.branches) for group in groups) - packed,
    }
