"""Names that a text mentions without a call: of products, people, shops, codes, orders.

An example that wants no call has its names exchanged too. Else a name that stands in many copies
of it, and nowhere else, would tell the model the decision.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent_tuning.synthesis.value_pools import MAIL_ADDRESS, PERSON, ValuePools
from agent_tuning.synthesis.written_checks import CLOCK_TIME

SHORTEST_NUMBER = 4  # digits: a shorter number in a text may be an amount
CODE = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[^\W\d])[\w-]+(?![\w-])")
CAPITALS = r"(?:[A-Z0-9][\w&'’-]*(?: (?:[&] )?|(?=$)))+"
PHRASE = re.compile(rf"(?<!\w){CAPITALS}(?:[a-z][\w-]* ?){{1,3}}")
CAPITALIZED = re.compile(r"(?<!\w)[A-Z][\w-]+(?: [A-Z][\w-]+)*")
SENTENCE_START = re.compile(r"(?:^|[.!?:;\n])\s*[\"'“(]?$")


class Name(NamedTuple):
    """A name as it stands in a text, and its kind."""

    value: str
    kind: str


class FoundName(NamedTuple):
    name: Name
    start: int


class NameFinder:
    """Finds names of the kinds in `pools`, by the pools' values and by what they have in common."""

    def __init__(self, pools: ValuePools) -> None:
        self._first_names = pools.first_names
        self._kinds: dict[str, set[str]] = {}  # name -> kinds of which it is a value
        self._shapes: dict[str, set[str]] = {}  # shape of a code -> kinds with such values
        self._words: dict[str, set[str]] = {}  # kind -> its small words
        self._last_words: dict[str, set[str]] = {}  # kind -> the small words that end its values
        for kind, values in pools.of_kind.items():
            for value in values:
                if isinstance(value, str) and not CLOCK_TIME.fullmatch(value):
                    self._learn(value, kind)
                    if kind in pools.of_several_tools - pools.of_common_words:
                        self._learn_phrase(value, kind)
        longest_first = sorted(self._kinds, key=len, reverse=True)
        known = "|".join(map(re.escape, longest_first)) or "(?!)"
        self._known = re.compile(rf"(?<!\w)(?:{known})(?!\w)")

    def find(self, text: str) -> list[Name]:
        """Every name with its kind, each once. What may be of two kinds, or a common word, is none.

        Of names that overlap the longest counts.
        """
        found = sorted(
            self._find_all(text), key=lambda place: (-len(place.name.value), place.start)
        )
        taken: set[int] = set()
        names: dict[Name, None] = {}
        for name, start in found:
            places = set(range(start, start + len(name.value)))
            if not places & taken:
                taken |= places
                names[name] = None
        return list(names)

    def _find_all(self, text: str) -> Iterator[FoundName]:
        for match in self._known.finditer(text):
            kinds = self._kinds[match.group()]
            if len(kinds) == 1 and _is_whole_name(text, match):
                yield FoundName(Name(match.group(), next(iter(kinds))), match.start())
        for match in CODE.finditer(text):
            kinds = self._shapes.get(_shape(match.group()), set())
            if len(kinds) == 1 and _is_whole_name(text, match):
                yield FoundName(Name(match.group(), next(iter(kinds))), match.start())
        for match in PHRASE.finditer(text):
            if name := self._find_phrase(text, match):
                yield FoundName(name, match.start())
        for match in CAPITALIZED.finditer(text):
            known = match.group().split()[0] in self._first_names
            if known and text[match.end() :][:1] != "." and _is_whole_name(text, match):
                yield FoundName(Name(match.group(), PERSON), match.start())

    def _learn(self, value: str, kind: str) -> None:
        if CODE.fullmatch(value):
            self._shapes.setdefault(_shape(value), set()).add(kind)
        has_digit = any(char.isdigit() for char in value)
        if value.isdigit():
            is_name = len(value) >= SHORTEST_NUMBER
        else:
            is_name = value[0].isupper() or has_digit or bool(MAIL_ADDRESS.fullmatch(value))
        if is_name:
            self._kinds.setdefault(value, set()).add(kind)

    def _learn_phrase(self, value: str, kind: str) -> None:
        small = [word for word in value.split()[1:] if word.islower()]
        if small and value.split()[-1].islower():
            self._words.setdefault(kind, set()).update(small)
            self._last_words.setdefault(kind, set()).add(small[-1])

    def _find_phrase(self, text: str, match: re.Match[str]) -> Name | None:
        """A name such as "Orvel desk fan", if fans of one kind are known: the longest that fits."""
        if SENTENCE_START.search(text[: match.start()]) or match.group().startswith("I "):
            return None
        words = match.group().split()
        while words and words[-1].islower():
            small = [word for word in words if word.islower()]
            kinds = [
                kind
                for kind, known in self._words.items()
                if known.issuperset(small) and small[-1] in self._last_words[kind]
            ]
            if len(kinds) == 1:
                return Name(" ".join(words), kinds[0])
            words.pop()
        return None


def _is_whole_name(text: str, match: re.Match[str]) -> bool:
    """No part of a longer name, and no single word that begins a sentence: it may be any word."""
    begins = SENTENCE_START.search(text[: match.start()])
    if begins and match.group().isalpha():
        return False
    if re.match(r"(?:\s|-)[A-Z]", text[match.end() :]):
        return False
    before = re.search(r"(\w[^\s.,:;!?]*)\s$", text[: match.start()])
    if before is None or not before.group(1)[0].isupper() or before.group(1) == "I":
        return True
    return SENTENCE_START.search(text[: before.start()]) is not None


def _shape(value: str) -> str:
    """A for a capital, a for a small letter, 9 for a digit: K48213 is A99999."""
    return re.sub(r"\d", "9", re.sub(r"[^\W\d_A-Z]", "a", re.sub(r"[A-Z]", "A", value)))
