"""Turn groups into packs of token ids and labels: all that training needs to know.

reads   data/mixed.jsonl       Group
        data/base/             the tokenizer
writes  data/packs.parquet     ids, labels, weights, spans: one row a pack
        metrics/render.json    tokens, and what sharing the prompts saved
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Group, Record, Trajectory
from agent_tuning.runtime import cli, config
from agent_tuning.tokens import pack_file, packing
from agent_tuning.tokens.chat_template import ChatTokenizer, Part
from agent_tuning.tokens.packing import Bin, GroupLengths, WeightedTokens
from agent_tuning.tokens.token_store import TokenStore


class LossWeights(Record, frozen=True):
    """How much trained tokens count in the loss, against 1 for the others; factors multiply."""

    opening: float
    opening_tokens: int
    thought: float
    name: float
    arguments: float
    negative: float

    def token(self, part: Part, opening: bool) -> float:
        """A name is one wherever it stands; the opening goes before what else it is part of."""
        if part == "name":
            return self.name
        if opening:
            return self.opening
        return {"": 1.0, "thought": self.thought, "arguments": self.arguments}[part]


class RenderConfig(Record, frozen=True):
    seed: int
    packing: Literal["shared", "plain", "none"]
    max_len: int
    weights: LossWeights


def encode_groups(
    groups: Iterable[Group], chat: ChatTokenizer, weights: LossWeights, spool: TokenStore
) -> list[GroupLengths]:
    result = []
    for group in groups:
        system = system_prompt.build(group.prompt)
        branches = [encode_trajectory(one, group, chat, weights) for one in group.trajectories]
        result.append(spool.add(chat.prefix(system), branches))
    return result


def encode_trajectory(
    one: Trajectory, group: Group, chat: ChatTokenizer, weights: LossWeights
) -> WeightedTokens:
    """A trajectory's tokens; a negative is one among tools whose first decision is no call."""
    ids, trained, parts = chat.branch(one.turns, group.prompt.reply_format)
    first = next(turn for turn in one.turns if isinstance(turn, Assistant))
    whole = weights.negative if group.tools and first.decision != "call" else 1.0
    each: list[float] = []
    spoken = 0  # trained tokens of this turn so far
    for is_trained, part in zip(trained, parts, strict=True):
        opening = bool(group.tools) and spoken < weights.opening_tokens
        spoken = spoken + 1 if is_trained else 0
        each.append(whole * weights.token(part, opening) if is_trained else 0.0)
    return WeightedTokens(ids, each)


def main(mixed: Path, base: Path, target: Path, metrics: Path) -> None:
    p = config.load("render", RenderConfig)
    chat = ChatTokenizer(base / "tokenizer.json")
    with tempfile.TemporaryFile() as file:
        spool = TokenStore(file)
        groups = encode_groups(jsonl.read(mixed, Group), chat, p.weights, spool)
        bins = packing.plan_packs(groups, p.packing, p.max_len, p.seed)
        supervised = pack_file.write(
            target, (packing.build_pack(one, spool.tokens) for one in bins)
        )
    counts = measure_packing(groups, bins, p.max_len) | {"supervised_tokens": supervised}
    metrics_file.write(metrics, counts)
    saved = f"{counts['tokens']} tokens ({counts['saved']:.2f} x fewer)"
    print(f"{target}: {counts['packs']} packs, {saved}")


def measure_packing(groups: list[GroupLengths], bins: list[Bin], max_len: int) -> dict[str, float]:
    """What packing did. `pairs_spread`: attention of the dearest pack against the mean one."""
    rows = [[group.span for group in one] for one in bins]
    tokens = sum(span.tokens for row in rows for span in row)
    whole = sum(
        group.prefix.tokens + branch.tokens for group in groups for branch in group.branches
    )
    pairs = [sum(span.attention_pairs for span in row) for row in rows]
    packed = sum(len(span.branches) for row in rows for span in row)
    return {
        "packs": len(bins),
        "tokens": tokens,
        "tokens_without_sharing": whole,
        "saved": whole / tokens,
        "fill": tokens / (len(bins) * max_len),
        "pairs_spread": max(pairs) * len(pairs) / sum(pairs),
        "too_long": sum(len(group.branches) for group in groups) - packed,
    }


if __name__ == "__main__":
    cli.run(main)
