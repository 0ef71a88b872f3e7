"""Word overlap: the words of queries and tools, and how many of them two texts share.

`WordOverlap` compares one query with one tool. `ToolSimilarity` compares all tools of a suite
with each other and with many queries at once, by the stems of their words.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from agent_tuning.records import Tool

HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
CJK_RANGES = (
    (0x3005, 0x3007),  # 々 〆 〇
    (0x3040, 0x30FF),  # kana
    (0x3100, 0x312F),  # bopomofo
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),  # Hangul
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
WEIGHT_SCALE = 10**6  # weights are whole numbers, so that sums are the same on every machine
DIGITS = 6

Matrix = np.ndarray[Any, np.dtype[Any]]

_SYNONYMS = {  # tools that differ only in these do the same: lawyer_finder, lawyer.search
    "get": ("fetch", "find", "finder", "info", "locate", "lookup", "retrieve", "return", "search"),
    "calculate": ("calc", "calculator", "compute", "computation"),
    "convert": ("conversion", "converter"),
}
_VERB_OF = {synonym: verb for verb, synonyms in _SYNONYMS.items() for synonym in synonyms}


def fold_text(text: str) -> str:
    """The text without differences that no reader sees: width, composition and case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)  # case folding may take letters apart again


def split_tokens(text: str) -> list[str]:
    """Words of the folded text. Every CJK character and every symbol is a token."""
    return "".join(f" {char} " if _is_token(char) else char for char in fold_text(text)).split()


@lru_cache(maxsize=2**14)  # a query is compared with every tool of its prompt
def split_words(text: str) -> frozenset[str]:
    """The parts of words: `getWeather` and `get_weather` are both get, weather."""
    return frozenset(token for token in split_tokens(split_name(text)) if token[0].isalnum())


def split_name(name: str) -> str:
    """A name with spaces between its words: `getWeather` gives `get Weather`."""
    return HUMP.sub(" ", name).replace("_", " ")


@cache
def stem_words(text: str) -> frozenset[str]:
    """Words without plurals and synonyms: getUserInfos, fetch_user_info are both get, user."""
    return frozenset(_stem_word(word) for word in split_words(text))


def subject_words(name: str) -> frozenset[str]:
    """What a tool is about: the words of its name without the verb."""
    return stem_words(name) - _SYNONYMS.keys() or stem_words(name)


def has_cjk(text: str) -> bool:
    return any(first <= ord(char) <= last for char in text for first, last in CJK_RANGES)


class WordOverlap:
    """Overlap of words. A word weighs more if fewer of `tools` have it."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        bags = [_list_tool_words(tool) for tool in tools]
        counts = Counter(word for bag in bags for word in bag)
        self.idf = {word: math.log((1 + len(bags)) / count) for word, count in counts.items()}
        self.unknown_idf = math.log(1 + len(bags)) or 1.0  # the weight of a word that no tool has

    def overlap(self, query: str, tool: Tool) -> float:
        """The cosine of both bags of words: 0 for no word in common, 1 for all."""
        query_words, tool_words = split_words(query), _list_tool_words(tool)
        norm = math.sqrt(self._weigh(query_words) * self._weigh(tool_words))
        return min(1.0, self._weigh(query_words & tool_words) / norm) if norm else 0.0

    def _weigh(self, bag: frozenset[str]) -> float:
        return math.fsum(self.idf.get(word, self.unknown_idf) ** 2 for word in bag)


class ToolSimilarity:
    """Similarities of `tools`, in their order. A word weighs more if fewer of them have it."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        bags = [stem_words(f"{tool.name} {tool.description}") for tool in tools]
        counts = Counter(word for bag in bags for word in bag)
        self._column = {word: column for column, word in enumerate(sorted(counts))}
        idf = (math.log(len(bags) / counts[word]) for word in self._column)
        self._weight = np.array([round(value * WEIGHT_SCALE) for value in idf], dtype=np.int64)
        self._uses = build_incidence(bags, self._column)

    def similarity(self) -> Matrix:
        """tools x tools: the cosine of their words, 1 for the same words, 0 for none in common."""
        common = ((self._uses * self._weight**2) @ self._uses.T).toarray()
        norm = np.sqrt(common.diagonal())
        return _divide(common, norm[:, None] * norm)

    def affinity(self, queries: Iterable[str]) -> Matrix:
        """queries x tools: the share of a query's known words, by weight, that a tool has."""
        bags = [stem_words(query) & self._column.keys() for query in queries]
        uses = build_incidence(bags, self._column)
        shared = ((uses * self._weight) @ self._uses.T).toarray()
        return _divide(shared, (uses @ self._weight)[:, None])


def build_incidence(bags: Sequence[Collection[str]], column: dict[str, int]) -> csr_array:
    """bags x words: 1 for every word of a bag. `column` numbers the words."""
    places = [(row, column[word]) for row, bag in enumerate(bags) for word in bag]
    cells = np.array(places, dtype=np.int64).reshape(-1, 2).T
    ones = np.ones(cells.shape[1], dtype=np.int64)
    return csr_array((ones, (cells[0], cells[1])), shape=(len(bags), len(column)))


def _divide(part: Matrix, whole: Matrix) -> Matrix:
    """part / whole, and 0 where whole is 0."""
    ratio = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return np.round(ratio, DIGITS)


def _stem_word(word: str) -> str:
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    word = word[:-1] if is_plural else word
    return _VERB_OF.get(word, word)


def _list_tool_words(tool: Tool) -> frozenset[str]:
    return split_words(tool.name) | split_words(tool.description)


@cache
def _is_token(char: str) -> bool:
    """Is the character a token by itself?"""
    if has_cjk(char):
        return True
    if char.isalnum() or char.isspace() or char == "_":
        return False
    return unicodedata.category(char)[0] != "M"  # a vowel sign belongs to its letter
