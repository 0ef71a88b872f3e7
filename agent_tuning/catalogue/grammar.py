"""The queries a scenario can become, counted and numbered: phrasings times values of their slots.

The last phrasing of every list and a quarter of every slot's values are held out, so that the
benchmark can ask what training never said.
"""

import hashlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal, NamedTuple, TypeVar

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import SLOT, LocalizedTexts, NumberRange, Slot
from agent_tuning.records import Json, Language

T = TypeVar("T")
Split = Literal["train", "held_out"]

FEISTEL_ROUNDS = 4  # of the shuffling network; fewer leave a pattern in short lists


class SlotValue(NamedTuple):
    """What a slot stands for: what people say, and what the tool is given."""

    said: str
    given: Json


class Grammar:
    """One part of the catalogue's grammar; a phrasing's sentences are numbered from 0."""

    def __init__(
        self, catalogue: Catalogue, phrasings: Split = "train", values: Split = "train"
    ) -> None:
        self.catalogue = catalogue
        self.phrasings_split: Split = phrasings
        self.values_split: Split = values

    def phrasings(self, queries: LocalizedTexts, language: Language) -> Sequence[str]:
        return take_split(getattr(queries, language), self.phrasings_split, 1)

    def capacity(self, queries: LocalizedTexts, tool: str, language: Language) -> int:
        """Sentences that can be drawn from all phrasings in turn before one of them recurs."""
        phrasings = self.phrasings(queries, language)
        sizes = [self.count_sentences(text, tool, language) for text in phrasings]
        return len(sizes) * min(sizes, default=0)

    def count_sentences(self, text: str, tool: str, language: Language) -> int:
        """How many sentences one phrasing stands for."""
        return prod(self._sizes(text, tool, language).values())

    def values(self, text: str, tool: str, language: Language, number: int) -> dict[str, SlotValue]:
        """A value for every slot: those of the sentence with that number."""
        slots = self.catalogue.domain_of[tool].slots
        found = {}
        for name, size in self._sizes(text, tool, language).items():
            number, index = divmod(number, size)
            found[name] = _value(slots[name], language, self.values_split, index)
        return found

    def _sizes(self, text: str, tool: str, language: Language) -> Mapping[str, int]:
        slots = self.catalogue.domain_of[tool].slots
        names = dict.fromkeys(SLOT.findall(text))
        return {name: _size(slots[name], language, self.values_split) for name in names}


def take_split(values: Sequence[T], which: Split, held_out: int) -> Sequence[T]:
    """The training part of a list, or its last `held_out` entries."""
    return values[-held_out:] if which == "held_out" else values[:-held_out]


def shuffle_index(index: int, total: int, seed: str) -> int:
    """Where `index` goes in a seeded order of range(total), which is never written down.

    A Feistel network permutes the numbers of 2k bits; one outside the range goes round again.
    """
    half = max(1, (total - 1).bit_length() + 1 >> 1)
    while True:
        left, right = index >> half, index & (1 << half) - 1
        for turn in range(FEISTEL_ROUNDS):
            mixed = hashlib.blake2b(f"{seed}:{turn}:{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ int.from_bytes(mixed) & (1 << half) - 1
        index = left << half | right
        if index < total:
            return index


def _words(slot: LocalizedTexts, language: Language, which: Split) -> Sequence[str]:
    words = getattr(slot, language)
    return take_split(words, which, max(1, len(words) // 4))


def _size(slot: Slot, language: Language, which: Split) -> int:
    if isinstance(slot, LocalizedTexts):
        return len(_words(slot, language, which))
    if not isinstance(slot, NumberRange):
        return len(slot)
    count = round((slot.stop - slot.start) / slot.step) + 1
    return max(1, count // 4 if which == "held_out" else count - count // 4)


def _value(slot: Slot, language: Language, which: Split, index: int) -> SlotValue:
    if isinstance(slot, LocalizedTexts):
        word = _words(slot, language, which)[index]
        return SlotValue(word, word)
    if isinstance(slot, NumberRange):
        return _number(slot, which, index)
    named = slot[index]  # too few to hold any out
    return SlotValue(getattr(named, language), named.value)


def _number(numbers: NumberRange, which: Split, index: int) -> SlotValue:
    """Every fourth number of a range is held out."""
    count = round((numbers.stop - numbers.start) / numbers.step) + 1
    place = 4 * index + 3 if which == "held_out" else index + index // 3
    number = round(numbers.start + min(place, count - 1) * numbers.step, 6)
    return SlotValue(str(number), number)
