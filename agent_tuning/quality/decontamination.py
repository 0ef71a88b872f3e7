"""Decontamination: training data must not contain the queries of the benchmark suites."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from agent_tuning.quality import word_overlap
from agent_tuning.quality.near_duplicates import NearDuplicateIndex, normalize_tokens
from agent_tuning.quality.reworded import RewordedIndex
from agent_tuning.records import Record
from agent_tuning.runtime.ranges import ShareAboveZero

SHARED_WORDS = 8  # words in a row that two texts do not share by chance
SHARED_CJK_CHARACTERS = 13  # the same for single characters, which carry less than a word


Overlap = Literal["exact", "8-gram", "near", "reworded"]


class RewordedLimits(Record, frozen=True):
    """Overlaps (Jaccard, 0-1) from which a text is an edit of another: of words, of characters."""

    words: ShareAboveZero
    characters: ShareAboveZero


class ProtectedQuery(Record, frozen=True):
    """One user turn of a benchmark task, and the tools that the task offers."""

    query: str
    task: str
    tools: tuple[str, ...] = ()


class DecontaminationConfig(Record, frozen=True):
    """The section `decontamination`: how near a training query may come to the benchmark."""

    near_benchmark: ShareAboveZero  # Jaccard of word pairs, 0-1
    reworded: RewordedLimits | None = None

    def build_filter(self, protected: Iterable[ProtectedQuery]) -> "ContaminationFilter":
        return ContaminationFilter(protected, self.near_benchmark, self.reworded)


class Leak(NamedTuple):
    """Why a query must not be trained on: how near it is, and to which task of the benchmark."""

    reason: Overlap
    task: str


class ContaminationFilter:
    """Finds queries of the benchmark: whole, in part, or nearly the same.

    `near` (0-1) is the similarity from which two queries are nearly the same. With `reworded`,
    edits of a query are found too.
    """

    def __init__(
        self,
        protected: Iterable[ProtectedQuery],
        near: float,
        reworded: RewordedLimits | None = None,
    ) -> None:
        self._whole: dict[tuple[str, ...], str] = {}  # the first task that has it
        self._runs: dict[tuple[str, ...], str] = {}
        self._near = NearDuplicateIndex(near)
        self._tools: list[frozenset[str]] = []
        self._tasks: list[str] = []
        queries = list(protected)
        self._reworded = reworded and RewordedIndex(
            [item.query for item in queries], reworded.words, reworded.characters
        )
        for item in queries:
            tokens = normalize_tokens(item.query)
            self._whole.setdefault(tokens, item.task)
            for run in _list_runs(tokens):
                self._runs.setdefault(run, item.task)
            self._near.add(item.query)
            self._tools.append(frozenset(item.tools))
            self._tasks.append(item.task)
        self._whole.pop((), None)

    def overlap(self, query: str, tools: Iterable[str]) -> Overlap | None:
        """Why `query` must not be trained on with these tools; None if it may be."""
        leak = self.find_leak(query, tools)
        return leak.reason if leak else None

    def find_leak(self, query: str, tools: Iterable[str]) -> Leak | None:
        """The same, with the task that is near; None if the query may be trained on.

        The same query, a shared run of tokens, or an edit is a leak whatever the tools. A query
        that is only nearly the same may be so by chance, unless the task offers one of the tools.
        """
        return next(self.find_leaks(query, tools), None)

    def find_leaks(self, query: str, tools: Iterable[str]) -> Iterator[Leak]:
        """All that `query` is near to; a task may come more than once."""
        tokens = normalize_tokens(query)
        if tokens in self._whole:
            yield Leak("exact", self._whole[tokens])
        for run in _list_runs(tokens):
            if run in self._runs:
                yield Leak("8-gram", self._runs[run])
        offered = set(tools)
        for number in self._near.find_similar(query) if tokens else ():
            if self._tools[number] & offered:
                yield Leak("near", self._tasks[number])
        for number in self._reworded.find(query) if self._reworded else ():
            yield Leak("reworded", self._tasks[number])


def _list_runs(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Runs of 8 tokens, or of 13 where most of the tokens are CJK characters."""
    for size, of_characters in ((SHARED_WORDS, False), (SHARED_CJK_CHARACTERS, True)):
        for start in range(len(tokens) - size + 1):
            run = tokens[start : start + size]
            if (2 * sum(map(_is_cjk_character, run)) > size) == of_characters:
                yield run


def _is_cjk_character(token: str) -> bool:
    return len(token) == 1 and word_overlap.has_cjk(token)
