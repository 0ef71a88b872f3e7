"""Groups to packs: prompts and trajectories as weighted tokens, several groups a row."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from agent_tuning.records import BadInput, Group, Record
from agent_tuning.runtime.ranges import AtLeastOne, Seed, Share
from agent_tuning.tokens import pack_file, packing
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.loss_weights import LossWeights, encode_trajectory
from agent_tuning.tokens.packing import Bin, GroupLengths
from agent_tuning.tokens.token_store import TokenStore


class RenderConfig(Record, frozen=True):
    seed: Seed
    packing: Literal["shared", "plain", "none"]
    max_len: AtLeastOne
    max_dropped: Share
    weights: LossWeights


def render(
    groups: Iterable[Group], chat: ChatTokenizer, config: RenderConfig, target: Path
) -> dict[str, float]:
    """Write the packs of all groups to `target`; return metrics of the packing.

    Tokens wait in a temporary file until the packs are planned: they need not fit into memory.
    Raises BadInput if more than `max_dropped` of the tokens do not fit into a row.
    """
    with tempfile.TemporaryFile() as file:
        store = TokenStore(file)
        lengths = encode_groups(groups, chat, config.weights, store)
        check_dropped(lengths, config)
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


def list_longer(groups: Iterable[GroupLengths], limit: int) -> list[int]:
    """The tokens, with the prompt, of every trajectory that has more than `limit`."""
    lengths = (group.prefix.tokens + branch.tokens for group in groups for branch in group.branches)
    return [tokens for tokens in lengths if tokens > limit]


def check_dropped(groups: list[GroupLengths], config: RenderConfig) -> None:
    """Raises BadInput if too many tokens are in trajectories that do not fit into a row."""
    dropped = list_longer(groups, config.max_len)
    everything = list_longer(groups, 0)
    share = sum(dropped) / max(1, sum(everything))
    if share > config.max_dropped:
        raise BadInput(
            f"render: {len(dropped)} of {len(everything)} trajectories, {share:.1%} of the tokens, "
            f"are longer than render.max_len = {config.max_len}; render.max_dropped = "
            f"{config.max_dropped:g} allows less. The longest has {max(dropped)} tokens: raise "
            "render.max_len, or list fewer tools in a prompt"
        )


def measure_packing(groups: list[GroupLengths], bins: list[Bin], max_len: int) -> dict[str, float]:
    """Sizes of the packs, and what sharing prompts saved; {} if there is no pack.

    `prefix_sharing_ratio`: tokens without sharing / tokens. `packing_efficiency`: share of the
    rows that is used (0-1).
    `pairs_spread`: attention cost of the most expensive pack / mean cost. `too_long`: trajectories
    left out because they do not fit into a row; `dropped_tokens`: their share of the tokens.
    """
    if not bins:
        return {}
    rows = [[group.span for group in contents] for contents in bins]
    tokens = sum(span.tokens for row in rows for span in row)
    tokens_without_sharing = sum(list_longer(groups, 0))
    dropped = list_longer(groups, max_len)
    costs = [sum(span.attention_pairs for span in row) for row in rows]
    return {
        "packs": len(bins),
        "tokens": tokens,
        "tokens_without_sharing": tokens_without_sharing,
        "prefix_sharing_ratio": tokens_without_sharing / tokens,
        "packing_efficiency": tokens / (len(bins) * max_len),
        "attention_cost_max_over_mean": max(costs) * len(costs) / sum(costs),
        "too_long": len(dropped),
        "dropped_tokens": sum(dropped) / tokens_without_sharing,
    }
