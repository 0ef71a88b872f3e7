"""Shared-prefix packs: a group's prompt stands once, each trajectory branches from it.

A pack is one row of token ids: for each group its prefix, then its branches. Positions restart at
the end of the prefix for each branch; a branch sees the prefix and itself only. The gradients are
those of one trajectory per row, at a fraction of the tokens.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from trajectory.records import Record

IGNORED = -100  # the label of a token that carries no loss


class Span(Record, frozen=True):
    """One group's place in a row: lengths of its prefix and of each branch, in tokens."""

    prefix: int
    branches: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return self.prefix + sum(self.branches)

    def positions(self) -> Iterator[int]:
        yield from range(self.prefix)
        for length in self.branches:
            yield from range(self.prefix, self.prefix + length)


class Branch(NamedTuple):
    """One trajectory after its prompt; `weights[i]` is the share of a trained token in the loss."""

    ids: list[int]
    trained: list[bool]
    weights: list[float]


class Pack(NamedTuple):
    """A training row. `labels[i]` is `ids[i]` where trained, else IGNORED."""

    ids: list[int]
    labels: list[int]
    weights: list[float]
    spans: list[Span]


class EncodedGroup(NamedTuple):
    id: str
    prefix: list[int]
    branches: list[Branch]

    @property
    def span(self) -> Span:
        return Span(len(self.prefix), tuple(len(branch.ids) for branch in self.branches))


def joined(groups: Iterable[EncodedGroup]) -> list[EncodedGroup]:
    """Groups under the very same prompt as one, so that it stands once for all of them."""
    by_prefix: dict[tuple[int, ...], EncodedGroup] = {}
    for group in sorted(groups, key=lambda group: group.id):
        first = by_prefix.setdefault(tuple(group.prefix), group._replace(branches=[]))
        first.branches.extend(group.branches)
    return list(by_prefix.values())


def fitting(groups: Iterable[EncodedGroup], max_len: int) -> tuple[list[EncodedGroup], int]:
    """Groups that fit a row of `max_len` tokens, and how many trajectories were too long.

    A group that is too large is split, its prefix repeated; a trajectory that does not fit even
    alone is dropped: cut short it would lose its last answer.
    """
    fits: list[EncodedGroup] = []
    dropped = 0
    for group in groups:
        room = max_len - len(group.prefix)
        branches = [branch for branch in group.branches if len(branch.ids) <= room]
        dropped += len(group.branches) - len(branches)
        part: list[Branch] = []
        for branch in branches:
            if sum(len(b.ids) for b in part) + len(branch.ids) > room:
                fits.append(group._replace(branches=part))
                part = []
            part.append(branch)
        if part:
            fits.append(group._replace(branches=part))
    return fits, dropped


def packs(groups: Sequence[EncodedGroup], max_len: int, seed: int) -> list[Pack]:
    """Bins of at most `max_len` tokens, best fit decreasing; their order is fixed by the seed."""
    bins: list[list[EncodedGroup]] = []
    room: list[int] = []
    for group in sorted(groups, key=lambda group: (-group.span.tokens, group.id)):
        size = group.span.tokens
        best = min(
            (index for index, free in enumerate(room) if free >= size),
            key=lambda index: room[index],
            default=None,
        )
        if best is None:
            bins.append([group])
            room.append(max_len - size)
        else:
            bins[best].append(group)
            room[best] -= size
    rows = [pack(sorted(group, key=lambda group: group.id)) for group in bins]
    random.Random(seed).shuffle(rows)
    return rows


def pack(groups: Sequence[EncodedGroup]) -> Pack:
    """One row of whole groups."""
    ids: list[int] = []
    labels: list[int] = []
    weights: list[float] = []
    for group in groups:
        ids += group.prefix
        labels += [IGNORED] * len(group.prefix)
        weights += [0.0] * len(group.prefix)
        for branch in group.branches:
            ids += branch.ids
            weights += branch.weights
            labels += [
                token if trained else IGNORED
                for token, trained in zip(branch.ids, branch.trained, strict=True)
            ]
    return Pack(ids, labels, weights, [group.span for group in groups])
