"""What else is right beside the words that a person wrote down as the value of an argument.

A scorer that rejects "the Larkfield kettle" where "Larkfield kettle" is written measures the taste
of whoever wrote the task. Case and width need no variants: the scorer folds them.
"""

from collections.abc import Iterable, Iterator
from itertools import permutations

from agent_tuning.records import Json, Record

ARTICLES = ("the", "a", "an")
MAX_PERMUTED = 4  # items of a list; more have too many orders to write down
SIBILANTS = ("s", "x", "z", "ch", "sh")


class AcceptedValuesConfig(Record, frozen=True):
    """The arguments, by name, whose values may be written in other ways."""

    articles: tuple[str, ...] = ()  # with an article before them or without one
    numbers: tuple[str, ...] = ()  # in the singular or in the plural
    suffixes: dict[str, tuple[str, ...]] = {}  # with one of these words after them or without
    unordered: tuple[str, ...] = ()  # lists whose order means nothing


def list_accepted(name: str, value: Json, p: AcceptedValuesConfig) -> tuple[Json, ...]:
    """All right values of an argument; the one that was written comes first, and none twice."""
    if isinstance(value, list) and name in p.unordered and len(value) <= MAX_PERMUTED:
        return tuple(list(order) for order in permutations(value))
    if not isinstance(value, str):
        return (value,)
    texts = [value]
    if name in p.suffixes:
        texts += _vary_suffix(value, p.suffixes[name])
    if name in p.numbers:
        texts += [_change_number(text) for text in texts]
    if name in p.articles:
        texts += [varied for text in texts for varied in _vary_article(text)]
    return tuple(dict.fromkeys(texts))


def _vary_suffix(text: str, suffixes: Iterable[str]) -> Iterator[str]:
    ending = next((word for word in suffixes if text.casefold().endswith(f" {word}")), "")
    plain = text[: len(text) - len(ending)].rstrip()
    yield plain
    yield from (f"{plain} {word}" for word in suffixes)


def _vary_article(text: str) -> Iterator[str]:
    first, _, rest = text.partition(" ")
    plain = rest if first.casefold() in ARTICLES and rest else text
    yield plain
    yield f"the {plain}"
    yield f"{'an' if plain[:1].casefold() in tuple('aeiou') else 'a'} {plain}"


def _change_number(text: str) -> str:
    """The last word in the plural if it is in the singular, and the other way round.

    The rules are rough. Where they err, the result is a word that nobody writes, and no harm.
    """
    if not text[-1:].isalpha():
        return text
    if text.endswith("ies"):
        return f"{text[:-3]}y"
    if text.endswith(tuple(f"{ending}es" for ending in SIBILANTS)):
        return text[:-2]
    if text.endswith("s") and not text.endswith(("ss", "us", "is")):
        return text[:-1]
    if text.endswith("y") and text[-2:-1] not in tuple("aeiou"):
        return f"{text[:-1]}ies"
    return f"{text}es" if text.endswith(SIBILANTS) else f"{text}s"
