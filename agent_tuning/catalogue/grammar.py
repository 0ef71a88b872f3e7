"""The queries a scenario can become, counted and numbered: phrasings times values of their slots.

The last phrasing of every list and a quarter of every slot's values are held out, so that the
benchmark can ask what training never said.
"""

import hashlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal, NamedTuple, TypeVar

from agent_tuning.catalogue.entries import SLOT, Catalogue, Range, Slot, Texts
from agent_tuning.records import Json, Language

T = TypeVar("T")
Part = Literal["train", "held_out"]

ROUNDS = 4  # of the shuffling network; fewer leave a pattern in short lists


class Value(NamedTuple):
    """What a slot stands for: what people say, and what the tool is given."""

    said: str
    given: Json


class Grammar:
    """One part of the catalogue's grammar; a phrasing's sentences are numbered from 0."""

    def __init__(
        self, catalogue: Catalogue, phrasings: Part = "train", values: Part = "train"
    ) -> None:
        self.catalogue = catalogue
        self.which_phrasings: Part = phrasings
        self.which_values: Part = values

    def phrasings(self, queries: Texts, language: Language) -> Sequence[str]:
        return part(getattr(queries, language), self.which_phrasings, 1)

    def capacity(self, queries: Texts, tool: str, language: Language) -> int:
        """Sentences that can be drawn from all phrasings in turn before one of them recurs."""
        phrasings = self.phrasings(queries, language)
        sizes = [self.sentences(text, tool, language) for text in phrasings]
        return len(sizes) * min(sizes, default=0)

    def sentences(self, text: str, tool: str, language: Language) -> int:
        """How many sentences one phrasing stands for."""
        return prod(self._sizes(text, tool, language).values())

    def values(self, text: str, tool: str, language: Language, number: int) -> dict[str, Value]:
        """A value for every slot: those of the sentence with that number."""
        slots = self.catalogue.domain_of[tool].slots
        found = {}
        for name, size in self._sizes(text, tool, language).items():
            number, index = divmod(number, size)
            found[name] = _value(slots[name], language, self.which_values, index)
        return found

    def _sizes(self, text: str, tool: str, language: Language) -> Mapping[str, int]:
        slots = self.catalogue.domain_of[tool].slots
        names = dict.fromkeys(SLOT.findall(text))
        return {name: _size(slots[name], language, self.which_values) for name in names}


def part(values: Sequence[T], which: Part, held_out: int) -> Sequence[T]:
    """The training part of a list, or its last `held_out` entries."""
    return values[-held_out:] if which == "held_out" else values[:-held_out]


def shuffled(index: int, total: int, seed: str) -> int:
    """Where `index` goes in a seeded order of range(total), which is never written down.

    A Feistel network permutes the numbers of 2k bits; one outside the range goes round again.
    """
    half = max(1, (total - 1).bit_length() + 1 >> 1)
    while True:
        left, right = index >> half, index & (1 << half) - 1
        for turn in range(ROUNDS):
            mixed = hashlib.blake2b(f"{seed}:{turn}:{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ int.from_bytes(mixed) & (1 << half) - 1
        index = left << half | right
        if index < total:
            return index


def _words(slot: Texts, language: Language, which: Part) -> Sequence[str]:
    words = getattr(slot, language)
    return part(words, which, max(1, len(words) // 4))


def _size(slot: Slot, language: Language, which: Part) -> int:
    if isinstance(slot, Texts):
        return len(_words(slot, language, which))
    if not isinstance(slot, Range):
        return len(slot)
    count = round((slot.stop - slot.start) / slot.step) + 1
    return max(1, count // 4 if which == "held_out" else count - count // 4)


def _value(slot: Slot, language: Language, which: Part, index: int) -> Value:
    if isinstance(slot, Texts):
        word = _words(slot, language, which)[index]
        return Value(word, word)
    if isinstance(slot, Range):
        return _number(slot, which, index)
    named = slot[index]  # too few to hold any out
    return Value(getattr(named, language), named.value)


def _number(numbers: Range, which: Part, index: int) -> Value:
    """Every fourth number of a range is held out."""
    count = round((numbers.stop - numbers.start) / numbers.step) + 1
    place = 4 * index + 3 if which == "held_out" else index + index // 3
    number = round(numbers.start + min(place, count - 1) * numbers.step, 6)
    return Value(str(number), number)
