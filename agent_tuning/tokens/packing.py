"""Shared-prefix packs: a group's prompt stands once, each trajectory branches from it.

A pack is one row of token ids: for each group its prefix, then its branches. Positions restart at
the end of the prefix for each branch; a branch sees the prefix and itself only. The gradients are
those of one trajectory per row, at a fraction of the tokens. Plain packs, and rows of their own,
are the same with one branch to a prefix.

Packs are planned on lengths alone (`Outline`), so that the tokens can stay in a file.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from agent_tuning.tokens.pack_file import Pack, Span

MAX_CANDIDATES = 64  # sizes of which one bin is filled


class WeightedTokens(NamedTuple):
    """Token ids; `weights[i]` is what token i weighs in the loss, 0 if it is not trained."""

    ids: list[int]
    weights: list[float]


class TokenSlice(NamedTuple):
    """Where tokens are kept, and how many they are."""

    at: int
    tokens: int


class GroupLengths(NamedTuple):
    """A group without its tokens. `key` is a hash of them: order never depends on the input's."""

    key: str
    prefix: TokenSlice
    branches: tuple[TokenSlice, ...]

    @property
    def span(self) -> Span:
        return Span(self.prefix.tokens, tuple(branch.tokens for branch in self.branches))


Bin = list[GroupLengths]  # what becomes one row


def merge_shared_prefixes(groups: Iterable[GroupLengths]) -> Iterator[GroupLengths]:
    """Groups under the very same prompt as one, so that it stands once for all of them."""
    by_prefix: dict[TokenSlice, list[GroupLengths]] = {}
    for group in sorted(groups):
        by_prefix.setdefault(group.prefix, []).append(group)
    for same in by_prefix.values():
        branches = tuple(branch for group in same for branch in group.branches)
        yield same[0]._replace(branches=branches)


def one_branch_per_group(groups: Iterable[GroupLengths]) -> Iterator[GroupLengths]:
    """Every trajectory as a group of its own."""
    for group in groups:
        for number, branch in enumerate(group.branches):
            yield GroupLengths(f"{group.key}.{number}", group.prefix, (branch,))


def split_to_fit(groups: Iterable[GroupLengths], max_len: int) -> list[GroupLengths]:
    """Groups that fit a row of `max_len` tokens.

    A group that is too large is split, its prefix repeated as seldom as may be; a trajectory that
    does not fit even alone is left out: cut short it would lose its last answer.
    """
    fits = []
    for group in groups:
        room = max_len - group.prefix.tokens
        branches = [branch for branch in group.branches if branch.tokens <= room]
        for number, part in enumerate(best_fit_bins([branch.tokens for branch in branches], room)):
            chosen = tuple(branches[index] for index in sorted(part))
            fits.append(GroupLengths(f"{group.key}/{number}", group.prefix, chosen))
    return fits


def best_fit_bins(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Bins of indices: the largest size left, and with it those that leave the least free."""
    left = sorted((size, index) for index, size in enumerate(sizes))
    bins = []
    while left:
        size, index = left.pop()
        fit = bisect_right(left, (room - size, len(sizes)))
        # Candidates of all sizes: their sums are many more than the tokens of a row.
        candidates = range(fit - 1, -1, -max(1, fit // MAX_CANDIDATES))[:MAX_CANDIDATES]
        chosen = _largest_sum([left[place][0] for place in candidates], room - size)
        # From the end, so that the other places stay what they are.
        bins.append([index, *(left.pop(candidates[one])[1] for one in chosen)])
    return bins


def _largest_sum(sizes: Sequence[int], room: int) -> list[int]:
    """Indices of those that together come nearest to `room`: subset sums, a bit for each sum."""
    within = (1 << (room + 1)) - 1
    reached = [1]
    for size in sizes:
        reached.append(reached[-1] | (reached[-1] << size & within))
    rest = reached[-1].bit_length() - 1
    chosen = []
    for index in reversed(range(len(sizes))):
        if not reached[index] >> rest & 1:
            chosen.append(index)
            rest -= sizes[index]
    return chosen[::-1]


def _binned(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    fits = sorted(split_to_fit(groups, max_len))
    bins = best_fit_bins([group.span.tokens for group in fits], max_len)
    return [[fits[index] for index in sorted(one)] for one in bins]


def pack_shared(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    return _binned(merge_shared_prefixes(groups), max_len)


def pack_plain(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    return _binned(one_branch_per_group(groups), max_len)


def pack_none(groups: Iterable[GroupLengths], max_len: int) -> list[Bin]:
    return [[group] for group in sorted(split_to_fit(one_branch_per_group(groups), max_len))]


PACKINGS: dict[str, Callable[[Iterable[GroupLengths], int], list[Bin]]] = {
    "shared": pack_shared,
    "plain": pack_plain,
    "none": pack_none,
}


def plan_packs(groups: Iterable[GroupLengths], packing: str, max_len: int, seed: int) -> list[Bin]:
    """Bins of at most `max_len` tokens; their order is fixed by the seed and what is in them."""
    bins = PACKINGS[packing](groups, max_len)
    random.Random(seed).shuffle(bins)
    return bins


def build_pack(groups: Bin, tokens: Callable[[TokenSlice], WeightedTokens]) -> Pack:
    """One row of whole groups; `tokens` fetches what stands at a place."""
    row = WeightedTokens([], [])
    for group in groups:
        for place in (group.prefix, *group.branches):
            ids, weights = tokens(place)
            row.ids.extend(ids)
            row.weights.extend(weights)
    return Pack(row.ids, row.weights, [group.span for group in groups])
