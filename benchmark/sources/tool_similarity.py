"""How similar tools and queries are, by the words they share."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from agent_tuning.quality import word_overlap
from agent_tuning.records import Tool

SCALE = 10**6  # weights are integers of this scale, so that every machine has the same sums
DIGITS = 6

Matrix = np.ndarray[Any, np.dtype[Any]]

_SYNONYMS = {  # tools that differ in these words only do the same: lawyer_finder, lawyer.search
    "get": ("fetch", "find", "finder", "info", "locate", "lookup", "retrieve", "return", "search"),
    "calculate": ("calc", "calculator", "compute", "computation"),
    "convert": ("conversion", "converter"),
}
_VERB = {word: verb for verb, synonyms in _SYNONYMS.items() for word in synonyms}


@cache
def stem_words(text: str) -> frozenset[str]:
    """getUserInfos, fetch_user_info and "Get user info" have the same words."""
    return frozenset(_stem(word) for word in word_overlap.split_words(text))


def subject_words(name: str) -> frozenset[str]:
    """What a tool is about: the words of its name without a verb such as get."""
    return stem_words(name) - _SYNONYMS.keys() or stem_words(name)


def _stem(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    word = word[:-1] if plural else word
    return _VERB.get(word, word)


class ToolSimilarity:
    """Weights words by their rarity among the descriptions of `tools`."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        words = [stem_words(f"{tool.name} {tool.description}") for tool in tools]
        counts = Counter(word for tool_words in words for word in tool_words)
        self.column = {word: column for column, word in enumerate(sorted(counts))}
        idf = (math.log(len(words) / counts[word]) for word in self.column)
        self.weight = np.array([round(value * SCALE) for value in idf], dtype=np.int64)
        self.incidence = build_incidence(words, self.column)

    def similarity(self) -> Matrix:
        """Cosine of every two tools' words: 1 for the same words, 0 for none in common."""
        common = ((self.incidence * self.weight**2) @ self.incidence.T).toarray()
        norm = np.sqrt(common.diagonal())
        return _divide(common, norm[:, None] * norm)

    def affinity(self, queries: Iterable[str]) -> Matrix:
        """queries x tools: the share of a query's known words, by weight, that a tool has."""
        known = [stem_words(query) & self.column.keys() for query in queries]
        incidence = build_incidence(known, self.column)
        shared = ((incidence * self.weight) @ self.incidence.T).toarray()
        return _divide(shared, (incidence @ self.weight)[:, None])


def build_incidence(rows: Sequence[Collection[str]], column: dict[str, int]) -> csr_array:
    """rows x words: 1 for every word of a row."""
    positions = [(row, column[word]) for row, words in enumerate(rows) for word in words]
    cells = np.array(positions, dtype=np.int64).reshape(-1, 2).T
    ones = np.ones(cells.shape[1], dtype=np.int64)
    return csr_array((ones, (cells[0], cells[1])), shape=(len(rows), len(column)))


def _divide(part: Matrix, whole: Matrix) -> Matrix:
    """0 where `whole` is 0."""
    ratio = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return np.round(ratio, DIGITS)
