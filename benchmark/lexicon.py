"""How alike tools and queries are, by the words they share."""

import math
from collections import Counter
from collections.abc import Iterable
from functools import cache

from trajectory import lexical
from trajectory.records import Tool

_SYNONYMS = {  # tools that differ in these only do the same: lawyer_finder, lawyer.search
    "get": ("fetch", "find", "finder", "info", "locate", "lookup", "retrieve", "return", "search"),
    "calculate": ("calc", "calculator", "compute", "computation"),
    "convert": ("conversion", "converter"),
}
_VERB = {word: verb for verb, synonyms in _SYNONYMS.items() for word in synonyms}


@cache
def words(text: str) -> frozenset[str]:
    """getUserInfos, fetch_user_info and "Get user info" have the same words."""
    return frozenset(_stem(word) for word in lexical.words(text))


def subject(name: str) -> frozenset[str]:
    """What a tool is about: the words of its name without what it does to them."""
    return words(name) - _SYNONYMS.keys() or words(name)


def _stem(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    word = word[:-1] if plural else word
    return _VERB.get(word, word)


class Lexicon:
    """Weights words by their rarity among the descriptions of `tools`."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.words = {tool.name: words(f"{tool.name} {tool.description}") for tool in tools}
        seen = Counter(word for found in self.words.values() for word in found)
        # rounded, because the last bit of a logarithm differs between machines
        self.idf = {word: round(math.log(len(self.words) / n), 6) for word, n in seen.items()}
        self.mass = {name: self._squares(found) for name, found in self.words.items()}

    def likeness(self, one: str, other: str) -> float:
        """Cosine of two tools' words: 1 for the same words, 0 for none in common."""
        common = self._squares(self.words[one] & self.words[other])
        norm = math.sqrt(self.mass[one] * self.mass[other])
        return round(common / norm, 6) if norm else 0.0

    def affinity(self, query: str, tool: str) -> float:
        """Share of the query's known words, by weight, that the tool has."""
        known = words(query) & self.idf.keys()
        weight = math.fsum(self.idf[word] for word in known)
        shared = math.fsum(self.idf[word] for word in known & self.words[tool])
        return round(shared / weight, 6) if weight else 0.0

    def _squares(self, found: Iterable[str]) -> float:
        return math.fsum(self.idf[word] ** 2 for word in found)
