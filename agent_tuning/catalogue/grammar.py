"""All queries of a scenario, counted and numbered: phrasings × values of their slots.

The last phrasing of every list and a quarter of every slot's values are held out of training, so
that the benchmark can ask queries that training never had.
"""

import hashlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import SLOT, LocalizedTexts, NumberRange, Slot
from agent_tuning.catalogue.split import Split, take_split
from agent_tuning.records import Json, Language

FEISTEL_ROUNDS = 4  # fewer leave a visible pattern in short lists


class SlotValue(NamedTuple):
    """A value of a slot: the words that people use, and the value that the tool gets."""

    text: str
    value: Json


class Grammar:
    """One split of the catalogue's grammar; the sentences of a phrasing are numbered from 0."""

    def __init__(
        self, catalogue: Catalogue, phrasings: Split = "train", values: Split = "train"
    ) -> None:
        self.catalogue = catalogue
        self.phrasings_split: Split = phrasings
        self.values_split: Split = values

    def phrasings(self, queries: LocalizedTexts, language: Language) -> Sequence[str]:
        return take_split(getattr(queries, language), self.phrasings_split, 1)

    def capacity(self, queries: LocalizedTexts, tool: str, language: Language) -> int:
        """How many sentences can be drawn, the phrasings in turn, before one repeats."""
        phrasings = self.phrasings(queries, language)
        sizes = [self.count_sentences(text, tool, language) for text in phrasings]
        return len(sizes) * min(sizes, default=0)

    def count_sentences(self, text: str, tool: str, language: Language) -> int:
        """How many sentences one phrasing gives."""
        return prod(self._count_values(text, tool, language).values())

    def values(self, text: str, tool: str, language: Language, number: int) -> dict[str, SlotValue]:
        """The value of every slot in the sentence with that number."""
        slots = self.catalogue.domain_of[tool].slots
        values = {}
        for name, size in self._count_values(text, tool, language).items():
            number, index = divmod(number, size)
            values[name] = _find_value(slots[name], language, self.values_split, index)
        return values

    def _count_values(self, text: str, tool: str, language: Language) -> Mapping[str, int]:
        slots = self.catalogue.domain_of[tool].slots
        names = dict.fromkeys(SLOT.findall(text))
        return {
            name: _count_slot_values(slots[name], language, self.values_split) for name in names
        }


def shuffle_index(index: int, total: int, seed: str) -> int:
    """The place of `index` in a seeded permutation of range(total), without a list of it.

    A Feistel network permutes the numbers of 2k bits. A result outside the range goes through the
    network again.
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


def _split_words(slot: LocalizedTexts, language: Language, split: Split) -> Sequence[str]:
    words = getattr(slot, language)
    return take_split(words, split, max(1, len(words) // 4))


def _count_slot_values(slot: Slot, language: Language, split: Split) -> int:
    if isinstance(slot, LocalizedTexts):
        return len(_split_words(slot, language, split))
    if not isinstance(slot, NumberRange):
        return len(slot)
    count = round((slot.stop - slot.start) / slot.step) + 1
    return max(1, count // 4 if split == "held_out" else count - count // 4)


def _find_value(slot: Slot, language: Language, split: Split, index: int) -> SlotValue:
    if isinstance(slot, LocalizedTexts):
        word = _split_words(slot, language, split)[index]
        return SlotValue(word, word)
    if isinstance(slot, NumberRange):
        return _find_number(slot, split, index)
    named = slot[index]  # too few to hold any out
    return SlotValue(getattr(named, language), named.value)


def _find_number(numbers: NumberRange, split: Split, index: int) -> SlotValue:
    """Every fourth number of a range is held out."""
    count = round((numbers.stop - numbers.start) / numbers.step) + 1
    step = 4 * index + 3 if split == "held_out" else index + index // 3
    number = round(numbers.start + min(step, count - 1) * numbers.step, 6)
    return SlotValue(str(number), number)
