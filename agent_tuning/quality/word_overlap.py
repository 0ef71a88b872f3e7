"""Words, and how much a query shares with the name and description of a tool."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache

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


def fold_text(text: str) -> str:
    """Without the differences that no reader sees: width, composition and case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)  # case folding may take letters apart again


def split_tokens(text: str) -> list[str]:
    """Words; every CJK character and every symbol stands alone."""
    return "".join(f" {char} " if _alone(char) else char for char in fold_text(text)).split()


@lru_cache(maxsize=2**14)  # a query is compared with every tool of its menu
def split_words(text: str) -> frozenset[str]:
    """The parts of words: `getWeather` and `get_weather` are both get, weather."""
    return frozenset(token for token in split_tokens(split_name(text)) if token[0].isalnum())


def split_name(name: str) -> str:
    """A name as words: `getWeather` and `get_weather` with a space."""
    return HUMP.sub(" ", name).replace("_", " ")


class WordOverlap:
    """Overlap of words, weighted by how few of `tools` have them."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        menus = [_tool_words(tool) for tool in tools]
        known = Counter(word for menu in menus for word in menu)
        self.idf = {word: math.log((1 + len(menus)) / count) for word, count in known.items()}
        self.rare = math.log(1 + len(menus)) or 1.0  # the weight of a word no tool has

    def overlap(self, query: str, tool: Tool) -> float:
        """The cosine of both bags of words: 0 for no word in common, 1 for all."""
        asked, offered = split_words(query), _tool_words(tool)
        norm = math.sqrt(self._weight(asked) * self._weight(offered))
        return min(1.0, self._weight(asked & offered) / norm) if norm else 0.0

    def _weight(self, bag: frozenset[str]) -> float:
        return math.fsum(self.idf.get(word, self.rare) ** 2 for word in bag)


def _tool_words(tool: Tool) -> frozenset[str]:
    return split_words(tool.name) | split_words(tool.description)


def has_cjk(text: str) -> bool:
    return any(first <= ord(char) <= last for char in text for first, last in CJK_RANGES)


@cache
def _alone(char: str) -> bool:
    if has_cjk(char):
        return True
    if char.isalnum() or char.isspace() or char == "_":
        return False
    return unicodedata.category(char)[0] != "M"  # a vowel sign belongs to its letter
