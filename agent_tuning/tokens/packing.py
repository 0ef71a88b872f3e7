"""Which groups share a pack: in shared-prefix packs a prompt is there once for all that follow it.

A pack is one row of token ids: for each group its prefix, then its branches. The positions of each
branch go on from the end of the prefix, and a branch attends to the prefix and itself only. So the
gradients are those of one trajectory per row, at a fraction of the tokens. In plain packs, and in
rows of one trajectory, every prefix has one branch.

Packs are planned from lengths alone (`GroupLengths`), so that the tokens can stay in a file.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from agent_tuning.tokens.pack_file import Pack, Span

MAX_CANDIDATES = 64  # sizes that are tried together to fill one bin


class WeightedTokens(NamedTuple):
    """Token ids; `weights[i]` is the weight of token i in the loss, 0 if it is not trained."""

    ids: list[int]
    weights: list[float]


class TokenSlice(NamedTuple):
    """Where tokens are stored (an offset in bytes), and how many."""

    offset: int
    tokens: int


class GroupLengths(NamedTuple):
    """A group without its tokens. `key` is a hash of them: the order of the input has no effect."""

    key: str
    prefix: TokenSlice
    branches: tuple[TokenSlice, ...]

    @property
    def span(self) -> Span:
        return Span(self.prefix.tokens, tuple(branch.tokens for branch in self.branches))


Bin = list[GroupLengths]  # the groups of one row


def merge_shared_prefixes(groups: Iterable[GroupLengths]) -> Iterator[GroupLengths]:
    """Make one group of all groups under the same prompt, so that it is there once for all."""
    by_prefix: dict[TokenSlice, list[GroupLengths]] = {}
    for group in sorted(groups):
        by_prefix.setdefault(group.prefix, []).append(group)
    for siblings in by_prefix.values():
        branches = tuple(branch for group in siblings for branch in group.branches)
        yield siblings[0]._replace(branches=branches)


def one_branch_per_group(groups: Iterable[GroupLengths]) -> Iterator[GroupLengths]:
    """Make every trajectory a group of its own."""
    for group in groups:
        for number, branch in enumerate(group.branches):
            yield GroupLengths(f"{group.key}.{number}", group.prefix, (branch,))


def split_to_fit(groups: Iterable[GroupLengths], max_len: int) -> list[GroupLengths]:
    """Split groups so that each fits into a row of `max_len` tokens.

    A group that is too large is split into few parts, each with the prefix. A trajectory that does
    not fit even alone is left out: cut short, it would lose its last answer.
    """
    parts = []
    for group in groups:
        room = max_len - group.prefix.tokens
        branches = [branch for branch in group.branches if branch.tokens <= room]
        bins = best_fit_bins([branch.tokens for branch in branches], room)
        for number, indices in enumerate(bins):
            chosen = tuple(branches[index] for index in sorted(indices))
            parts.append(GroupLengths(f"{group.key}/{number}", group.prefix, chosen))
    return parts


def best_fit_bins(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Pack `sizes` into bins of `room`; return the indices of each bin.

    A bin gets the largest size left, then those sizes that together leave the least room.
    """
    remaining = sorted((size, index) for index, size in enumerate(sizes))
    bins = []
    while remaining:
        size, index = remaining.pop()
        fitting = bisect_right(remaining, (room - size, len(sizes)))
        # Candidates of all sizes, large to small: a few of them reach nearly every sum.
        step = max(1, fitting // MAX_CANDIDATES)
        candidates = range(fitting - 1, -1, -step)[:MAX_CANDIDATES]
        chosen = _find_largest_sum([remaining[at][0] for at in candidates], room - size)
        # Candidates are from the end backwards: removing one does not move those that follow.
        bins.append([index, *(remaining.pop(candidates[number])[1] for number in chosen)])
    return bins


def _find_largest_sum(sizes: Sequence[int], room: int) -> list[int]:
    """Indices of the sizes with the largest sum of at most `room`.

    An integer holds the reachable sums, one bit for each.
    """
    mask = (1 << (room + 1)) - 1
    reachable = [1]  # with the first 0, 1, 2 ... sizes
    for size in sizes:
        reachable.append(reachable[-1] | (reachable[-1] << size & mask))
    rest = reachable[-1].bit_length() - 1
    chosen = []
    for index in reversed(range(len(sizes))):
        if not reachable[index] >> rest & 1:
            chosen.append(index)
            rest -= sizes[index]
    return chosen[::-1]


def _fill_bins(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    parts = sorted(split_to_fit(groups, max_len))
    bins = best_fit_bins([part.span.tokens for part in parts], max_len)
    return [[parts[index] for index in sorted(indices)] for indices in bins]


def pack_shared(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    return _fill_bins(merge_shared_prefixes(groups), max_len)


def pack_plain(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    return _fill_bins(one_branch_per_group(groups), max_len)


def pack_none(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    return [[group] for group in sorted(split_to_fit(one_branch_per_group(groups), max_len))]


PACKINGS: dict[str, Callable[[Iterable[GroupLengths], int], list[Bin]]] = {
    "shared": pack_shared,
    "plain": pack_plain,
    "none": pack_none,
}


def plan_packs(groups: Iterable[GroupLengths], packing: str, max_len: int, seed: int) -> list[Bin]:
    """Bins of at most `max_len` tokens; their order depends on the seed and the groups only."""
    bins = PACKINGS[packing](groups, max_len)
    random.Random(seed).shuffle(bins)
    return bins


def build_pack(groups: Bin, read_tokens: Callable[[TokenSlice], WeightedTokens]) -> Pack:
    """Put the tokens of the groups into one row."""
    pack = Pack([], [], [group.span for group in groups])
    for group in groups:
        for part in (group.prefix, *group.branches):
            ids, weights = read_tokens(part)
            pack.ids.extend(ids)
            pack.weights.extend(weights)
    return pack
