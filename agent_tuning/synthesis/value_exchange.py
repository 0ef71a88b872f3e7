"""Copies of written examples with other values: another product, another person, another amount.

A model that sees one wording with many values learns the wording, and copies the values. A value
is exchanged everywhere or nowhere: in query, history, thought, reply and calls.
"""

import random
import re
from collections.abc import Mapping, Sequence

import msgspec

from agent_tuning.records import Call, Json
from agent_tuning.synthesis.mentioned_names import NameFinder
from agent_tuning.synthesis.spoken_numbers import find_numbers, write_in_words
from agent_tuning.synthesis.value_pools import PooledValue, Value, ValuePools, list_arguments
from agent_tuning.synthesis.written_checks import CLOCK_TIME, join_said
from agent_tuning.synthesis.written_examples import WrittenExample

TIME_OF_DAY = re.compile(r"\b(?:morning|noon|lunch|after|evening|night|tonight)|\b[ap]\.?m\b", re.I)
VOWELS = tuple("aeiouAEIOU")
WORD = re.compile(r"[^\W_]+")


class ValueExchange:
    """Makes copies. Their values come from `pools`."""

    def __init__(self, pools: ValuePools) -> None:
        self._pools = pools
        self._names = NameFinder(pools)

    def copy_example(self, example: WrittenExample, rng: random.Random) -> WrittenExample:
        """The example with other values wherever that leaves no doubt what is meant.

        Returns an equal example if no value can be exchanged.
        """
        said = join_said(example)
        values = [pooled for argument in list_arguments(example)
                  if (pooled := self._pools.classify(*argument))]  # fmt: skip
        if not example.calls:
            values = [PooledValue(*name) for name in self._names.find(said)]
        values = list(dict.fromkeys(values))
        texts = _Texts(example, values)
        chosen: dict[Value, Value] = {}
        for pooled in values:
            if texts.can_exchange(pooled, values):
                taken = [said, *map(str, chosen.values())]
                if candidates := self._list_candidates(pooled, texts, taken):
                    chosen[pooled.value] = rng.choice(candidates)
        return texts.replace(chosen)

    def _list_candidates(
        self, pooled: PooledValue, texts: "_Texts", taken: Sequence[str]
    ) -> list[Value]:
        """The values that may stand in place of this one, in its style of writing.

        None of them, and no name in them, stands in the texts that are `taken`.
        """
        pool = self._pools.of_kind.get(pooled.kind, ())
        old, text = pooled.value, "\n".join(taken).casefold()
        if not isinstance(old, str):
            named = find_numbers(text)
            return [new for new in pool if not isinstance(new, str | bool)
                    and new != 1 and float(new) not in named]  # fmt: skip
        if CLOCK_TIME.fullmatch(old):
            # In the same half of the day, so that no "good night" follows on 08:00.
            return [new for new in pool if isinstance(new, str)
                    and (new < "12:00") == (old < "12:00") and new not in text]  # fmt: skip
        common = pooled.kind in self._pools.of_common_words
        words, after_article = set(WORD.findall(text)), texts.is_after_article(old)
        return [
            match_style(new, old)
            for new in pool
            if isinstance(new, str)
            and _fits(new, old, common)
            and new.casefold() not in text
            and not _list_name_words(new) & words
            and not (after_article and new.startswith(VOWELS) != old.startswith(VOWELS))
        ]


class _Texts:
    """The texts of an example, and where the values stand in them."""

    def __init__(self, example: WrittenExample, values: Sequence[PooledValue]) -> None:
        self.example = example
        self._said = [*(message.content for message in example.history), example.query]
        self._replies = [example.thought, example.text]
        longest_first = sorted((pooled.value for pooled in values), key=_length, reverse=True)
        self._pattern = re.compile("|".join(map(_match_value, longest_first)) or "(?!)", re.I)
        # What is left where no value stands: a value that it mentions again cannot be exchanged.
        self._rest_said = self._pattern.sub("\n", "\n".join(self._said))
        self._rest_replies = self._pattern.sub("\n", "\n".join(self._replies))

    def can_exchange(self, pooled: PooledValue, values: Sequence[PooledValue]) -> bool:
        """Does the value stand for one thing only, and nothing else hint at it?"""
        if any(_is_alike(pooled, other) for other in values if other != pooled):
            return False
        value = pooled.value
        if isinstance(value, str) and not CLOCK_TIME.fullmatch(value):
            return self._is_text_free(value)
        stands = [self._find(text, str(value)) for text in self._said]
        if not any(stands) or max(map(len, stands)) > 1 or value == 1:
            return False
        if any(len(self._find(text, str(value))) > 1 for text in self._replies):
            return False
        if isinstance(value, str):
            return not TIME_OF_DAY.search("\n".join(self._said))
        return not self._is_number_worded(value)

    def is_after_article(self, value: str) -> bool:
        """Would another first letter need another article, a or an?"""
        texts = "\n".join([*self._said, *self._replies])
        return re.search(rf"\ban? {re.escape(value)}", texts, re.I) is not None

    def replace(self, chosen: Mapping[Value, Value]) -> WrittenExample:
        """The example with the chosen values in place of its own."""
        new = {str(value).casefold(): value for value in chosen}

        def replace_match(match: re.Match[str]) -> str:
            value = new.get(match.group().casefold())
            if value is None:
                return match.group()
            other = str(chosen[value])
            return other if match.group() == str(value) else match_style(other, match.group())

        def replace_in_text(text: str) -> str:
            return self._pattern.sub(replace_match, text)

        def replace_in_value(value: Json) -> Json:
            if isinstance(value, list):
                return [replace_in_value(item) for item in value]
            return value if isinstance(value, bool) else chosen.get(value, value)

        def replace_in_calls(calls: Sequence[Call]) -> tuple[Call, ...]:
            return tuple(
                Call(
                    call.name, {key: replace_in_value(item) for key, item in call.arguments.items()}
                )
                for call in calls
            )

        return msgspec.structs.replace(
            self.example,
            query=replace_in_text(self.example.query),
            thought=replace_in_text(self.example.thought),
            text=replace_in_text(self.example.text),
            calls=replace_in_calls(self.example.calls),
            also_right=tuple(map(replace_in_calls, self.example.also_right)),
            history=tuple(
                msgspec.structs.replace(message, content=replace_in_text(message.content))
                for message in self.example.history
            ),
        )

    def _find(self, text: str, value: str) -> list[str]:
        return [
            found for found in self._pattern.findall(text) if found.casefold() == value.casefold()
        ]

    def _is_text_free(self, value: str) -> bool:
        """No part of a word, written in one way by the user, and hinted at nowhere else."""
        stands = [found for text in self._said for found in self._find(text, value)]
        rest = f"{self._rest_said}\n{self._rest_replies}".casefold()
        if set(stands) != {value} or value.casefold() in rest:
            return False
        said, replied = (
            set(WORD.findall(text.casefold())) for text in (self._rest_said, self._rest_replies)
        )
        if said & _list_name_words(value):
            return False
        own = {_stem(word) for word in WORD.findall(value.casefold()) if len(word) > 3}
        return not own & {_stem(word) for word in replied}

    def _is_number_worded(self, number: int | float) -> bool:
        """Does a thought or a reply write in words what the user wrote in digits?"""
        word = write_in_words(int(number)) if number == int(number) else ""
        return bool(word) and re.search(rf"\b{word}\b", self._rest_replies, re.I) is not None


def match_style(value: str, like: str) -> str:
    """The value in lower or upper case, or with a capital at its start, if the other one is so."""
    if like.islower():
        return value.lower()
    if like.isupper() and sum(char.isalpha() for char in like) > 1:
        return value.upper()
    return value[0].upper() + value[1:] if like[0].isupper() else value


def _fits(value: str, like: str, common: bool) -> bool:
    """Names stand where names stood, and plurals where plurals stood."""
    if _is_plural(value) != _is_plural(like):
        return False
    if like.islower():
        return value.islower() or not common
    return common or not value.islower()


def _is_plural(value: str) -> bool:
    last = value.split()[-1]
    return last.islower() and last.endswith("s") and not last.endswith("ss") and "@" not in last


def _is_alike(pooled: PooledValue, other: PooledValue) -> bool:
    """Would exchanging one of them touch the other, or lose what makes the pair hard to tell?"""
    if isinstance(pooled.value, str) and isinstance(other.value, str):
        return bool(_list_name_words(pooled.value) & _list_name_words(other.value)) or (
            pooled.value.casefold() == other.value.casefold()
        )
    return pooled.value == other.value


def _list_name_words(value: str) -> set[str]:
    """The words of a value that are names by themselves: with a capital, and no number."""
    return {word.casefold() for word in WORD.findall(value) if word[0].isupper() and len(word) > 2}


def _stem(word: str) -> str:
    return word.removesuffix("s")


def _length(value: Value) -> int:
    return len(str(value))


def _match_value(value: Value) -> str:
    """A pattern for the value as a whole word, or as a whole number."""
    text = re.escape(str(value))
    if isinstance(value, str) and not CLOCK_TIME.fullmatch(value):
        return rf"(?<!\w){text}(?!\w)"
    return rf"(?<![\w.,:/'’-]){text}(?![\w:/'’%-]|[.,]\d)"
