"""Texts that are another text with a few edits: typos, other words, another order.

Two texts are compared by their words in any order, and by the characters that stand beside each
other. Each comparison has its overlap (Jaccard, 0-1). Words catch another order and a word that was
replaced, characters catch typos.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from agent_tuning.quality.near_duplicates import normalize_tokens

RUN = 3  # characters that stand beside each other
Items = frozenset[Hashable]


class RewordedIndex:
    """Remembers texts; finds those that a text is an edit of.

    `words` and `characters` are the overlaps (0-1) from which one of them is enough.
    """

    def __init__(self, texts: Sequence[str], words: float, characters: float) -> None:
        self._words = _OverlapIndex([list_words(text) for text in texts], words)
        self._runs = _OverlapIndex([list_runs(text) for text in texts], characters)

    def find(self, text: str) -> Iterator[int]:
        """The numbers of the texts, in their order for each comparison."""
        yield from self._words.find(list_words(text))
        yield from self._runs.find(list_runs(text))


def list_words(text: str) -> Items:
    """The words of a text; a second one of the same is another item. CJK characters are words."""
    seen: Counter[str] = Counter()
    items: list[tuple[str, int]] = []
    for token in normalize_tokens(text):
        items.append((token, seen[token]))
        seen[token] += 1
    return frozenset(items)


def list_runs(text: str) -> Items:
    """Runs of RUN characters of the normalised text."""
    plain = f" {' '.join(normalize_tokens(text))} "
    return frozenset(plain[start : start + RUN] for start in range(len(plain) - RUN + 1))


class _OverlapIndex:
    """Finds sets by their overlap: counts the shared items with every set at once."""

    def __init__(self, sets: Sequence[Items], least: float) -> None:
        self._least = least
        self._sizes = np.array([len(one) for one in sets], np.int64)
        holders: dict[Hashable, list[int]] = defaultdict(list)
        for number, one in enumerate(sets):
            for item in one:
                holders[item].append(number)
        self._holders = {item: np.array(numbers) for item, numbers in holders.items()}

    def find(self, items: Items) -> Iterator[int]:
        holders = [self._holders[item] for item in items if item in self._holders]
        if not holders:
            return
        shared = np.bincount(np.concatenate(holders), minlength=len(self._sizes))
        yield from np.flatnonzero(
            (shared > 0) & (shared >= self._least * (len(items) + self._sizes - shared))
        ).tolist()
