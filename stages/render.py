"""Turn groups into packs of token ids and labels: all that training needs to know.

reads   data/mixed.jsonl       Group
        data/base/             the tokenizer
writes  data/packs.parquet     ids, labels, weights, spans: one row a pack
        metrics/render.json    tokens, and what sharing the prompts saved
"""

from collections.abc import Iterable
from pathlib import Path

import datasets

from trajectory import command, jsonl, metricfile, packing, params, prompts
from trajectory.chat import Chat
from trajectory.packing import Branch, EncodedGroup
from trajectory.records import Assistant, Group, Record, Trajectory


class Weights(Record, frozen=True):
    """How much trained tokens count in the loss, against 1 for the others; factors multiply."""

    opening: float
    opening_tokens: int
    name: float
    negative: float


class Params(Record, frozen=True):
    seed: int
    max_len: int
    weights: Weights


def encoded(groups: Iterable[Group], chat: Chat, weights: Weights) -> list[EncodedGroup]:
    result = []
    for group in groups:
        system = prompts.system(group.template, group.tools, group.tool_format, group.reply_format)
        branches = [branch(one, group, chat, weights) for one in group.trajectories]
        result.append(EncodedGroup(group.id, chat.prefix(system), branches))
    return result


def branch(one: Trajectory, group: Group, chat: Chat, weights: Weights) -> Branch:
    """A trajectory's tokens; a negative is one among tools whose first decision is no call."""
    ids, trained, named = chat.branch(one.turns, group.reply_format)
    first = next(turn for turn in one.turns if isinstance(turn, Assistant))
    whole = weights.negative if group.tools and first.decision != "call" else 1.0
    each: list[float] = []
    spoken = 0  # trained tokens of this turn so far
    for is_trained, is_name in zip(trained, named, strict=True):
        opening = group.tools and is_trained and spoken < weights.opening_tokens
        spoken = spoken + 1 if is_trained else 0
        factor = weights.name if is_name else weights.opening if opening else 1.0
        each.append(whole * factor)
    return Branch(ids, trained, each)


def main(mixed: Path, base: Path, target: Path, metrics: Path) -> None:
    p = params.load("render", Params)
    datasets.disable_progress_bars()
    groups = encoded(jsonl.read(mixed, Group), Chat(base / "tokenizer.json"), p.weights)
    fits, dropped = packing.fitting(packing.joined(groups), p.max_len)
    rows = packing.packs(fits, p.max_len, p.seed)
    table = datasets.Dataset.from_dict(
        {
            "ids": [row.ids for row in rows],
            "labels": [row.labels for row in rows],
            "weights": [row.weights for row in rows],
            "spans": [[[span.prefix, *span.branches] for span in row.spans] for row in rows],
        }
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(target)
    tokens = sum(len(row.ids) for row in rows)
    unshared = sum(len(g.prefix) + len(branch.ids) for g in groups for branch in g.branches)
    counts = {
        "packs": len(rows),
        "tokens": tokens,
        "supervised_tokens": sum(label != packing.IGNORED for row in rows for label in row.labels),
        "tokens_without_sharing": unshared,
        "saved": unshared / tokens,
        "fill": tokens / (len(rows) * p.max_len),
        "too_long": dropped,
    }
    metricfile.write(metrics, counts)
    print(f"{target}: {len(rows)} packs, {tokens} tokens ({unshared / tokens:.2f} x fewer)")


if __name__ == "__main__":
    command.run(main)
