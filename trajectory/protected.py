"""What training may not contain: the queries of the benchmark suites."""

from collections.abc import Iterable, Iterator
from typing import Literal

from trajectory import lexical
from trajectory.records import Record

RUN = 8  # words in a row that two texts do not share by chance
CJK_RUN = 13  # the same for single characters, which carry less than a word


class Protected(Record, frozen=True):
    """One user turn of a benchmark task."""

    query: str
    task: str


class Fence:
    """Finds protected queries; one set lookup per run of tokens."""

    def __init__(self, queries: Iterable[str]) -> None:
        self._whole: set[tuple[str, ...]] = set()
        self._runs: set[tuple[str, ...]] = set()
        for query in queries:
            tokens = normalise(query)
            self._whole.add(tokens)
            self._runs.update(_runs(tokens))
        self._whole.discard(())

    def overlap(self, query: str) -> Literal["exact", "8-gram"] | None:
        """Why `query` may not be trained on: the same query, or a shared run of tokens."""
        tokens = normalise(query)
        if tokens in self._whole:
            return "exact"
        return "8-gram" if any(run in self._runs for run in _runs(tokens)) else None


def normalise(text: str) -> tuple[str, ...]:
    """Tokens without case, punctuation or width; each CJK character is one."""
    found = lexical.tokens(text.replace("_", " "))
    return tuple(token for token in found if token[0].isalnum())


def _runs(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Runs of 8 tokens, or of 13 where most of the tokens are CJK characters."""
    for size, of_characters in ((RUN, False), (CJK_RUN, True)):
        for start in range(len(tokens) - size + 1):
            run = tokens[start : start + size]
            if (2 * sum(map(_is_character, run)) > size) == of_characters:
                yield run


def _is_character(token: str) -> bool:
    return len(token) == 1 and any(low <= ord(token) <= high for low, high in lexical.CJK)
