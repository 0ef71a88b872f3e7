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
from agent_tuning.tokens.chat_template import Chat, Part
from agent_tuning.tokens.packing import Bin, Outline, Tokens
from agent_tuning.tokens.token_store import Spool


class Weights(Record, frozen=True):
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


class Params(Record, frozen=True):
    seed: int
    packing: Literal["shared", "plain", "none"]
    max_len: int
    weights: Weights


def outlines(groups: Iterable[Group], chat: Chat, weights: Weights, spool: Spool) -> list[Outline]:
    result = []
    for group in groups:
        system = system_prompt.build(group.prompt)
        branches = [branch(one, group, chat, weights) for one in group.trajectories]
        result.append(spool.add(chat.prefix(system), branches))
    return result


def branch(one: Trajectory, group: Group, chat: Chat, weights: Weights) -> Tokens:
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
    return Tokens(ids, each)


def main(mixed: Path, base: Path, target: Path, metrics: Path) -> None:
    p = config.load("render", Params)
    chat = Chat(base / "tokenizer.json")
    with tempfile.TemporaryFile() as file:
        spool = Spool(file)
        groups = outlines(jsonl.read(mixed, Group), chat, p.weights, spool)
        bins = packing.packs(groups, p.packing, p.max_len, p.seed)
        supervised = pack_file.write(target, (packing.pack(one, spool.tokens) for one in bins))
    counts = measured(groups, bins, p.max_len) | {"supervised_tokens": supervised}
    metrics_file.write(metrics, counts)
    saved = f"{counts['tokens']} tokens ({counts['saved']:.2f} x fewer)"
    print(f"{target}: {counts['packs']} packs, {saved}")


def measured(groups: list[Outline], bins: list[Bin], max_len: int) -> dict[str, float]:
    """What packing did. `pairs_spread`: attention of the dearest pack against the mean one."""
    rows = [[group.span for group in one] for one in bins]
    tokens = sum(span.tokens for row in rows for span in row)
    whole = sum(
        group.prefix.tokens + branch.tokens for group in groups for branch in group.branches
    )
    pairs = [sum(span.pairs for span in row) for row in rows]
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
