"""Decontamination: training data must not contain the queries of the benchmark suites."""

from collections.abc import Iterable, Iterator
from typing import Literal

from agent_tuning.quality import word_overlap
from agent_tuning.quality.near_duplicates import NearDuplicateIndex, normalize_tokens
from agent_tuning.records import Record

SHARED_WORDS = 8  # words in a row that two texts do not share by chance
SHARED_CJK_CHARACTERS = 13  # the same for single characters, which carry less than a word


Overlap = Literal["exact", "8-gram", "near"]


class DecontaminationConfig(Record, frozen=True):
    """The section `decontamination`: how near a training query may come to the benchmark."""

    near_benchmark: float  # Jaccard of word pairs, 0-1


class ProtectedQuery(Record, frozen=True):
    """One user turn of a benchmark task, and the tools that the task offers."""

    query: str
    task: str
    tools: tuple[str, ...] = ()


class ContaminationFilter:
    """Finds queries of the benchmark: whole, in part, or nearly the same.

    `near` (0-1) is the similarity from which two queries are nearly the same.
    """

    def __init__(self, protected: Iterable[ProtectedQuery], near: float) -> None:
        self._whole: set[tuple[str, ...]] = set()
        self._runs: set[tuple[str, ...]] = set()
        self._near = NearDuplicateIndex(near)
        self._tools: list[frozenset[str]] = []
        for item in protected:
            tokens = normalize_tokens(item.query)
            self._whole.add(tokens)
            self._runs.update(_list_runs(tokens))
            self._near.add(item.query)
            self._tools.append(frozenset(item.tools))
        self._whole.discard(())

    def overlap(self, query: str, tools: Iterable[str]) -> Overlap | None:
        """Why `query` must not be trained on with these tools; None if it may be.

        The same query, or a shared run of tokens, is an overlap whatever the tools. A query that
        is only nearly the same may be so by chance, unless the task offers one of the tools too.
        """
        tokens = normalize_tokens(query)
        if tokens in self._whole:
            return "exact"
        if any(run in self._runs for run in _list_runs(tokens)):
            return "8-gram"
        offered = set(tools)
        similar = self._near.find_similar(query) if tokens else ()
        return "near" if any(self._tools[number] & offered for number in similar) else None


def _list_runs(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Runs of 8 tokens, or of 13 where most of the tokens are CJK characters."""
    for size, of_characters in ((SHARED_WORDS, False), (SHARED_CJK_CHARACTERS, True)):
        for start in range(len(tokens) - size + 1):
            run = tokens[start : start + size]
            if (2 * sum(map(_is_cjk_character, run)) > size) == of_characters:
                yield run


def _is_cjk_character(token: str) -> bool:
    return len(token) == 1 and word_overlap.has_cjk(token)
