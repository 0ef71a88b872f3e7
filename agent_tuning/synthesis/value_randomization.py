"""Made-up names of things, so that a model copies what the user says and learns no value by heart.

Only calls that observe nothing get them: no observation is there that they could contradict.
"""

import random
import re
from collections.abc import Iterator, Sequence

import msgspec

from agent_tuning.records import Assistant, Call, Json, Tool, Trajectory, Turn, User

ONSETS, VOWELS, ENDS = "bcdfghjklmnprstvwz", "aeiou", "dklmnrst"
HAN_CHARACTERS = (
    "安白北川春丹东方飞风高光海河恒华金景静兰乐林龙梅明南宁平青清山石松天文西晓新雪阳云竹"
)

WORD = re.compile(r"[A-Za-z]{3,}|[\u4e00-\u9fff]{2,}")
CALENDAR = re.compile(r"\d{4}-\d\d(-\d\d)?|\d\d?:\d\d")  # digits of which few are a date or a time


def randomize_values(one: Trajectory, tools: Sequence[Tool], rng: random.Random) -> Trajectory:
    """The same with other words in the values that its query says; itself if there are none."""
    if not all(isinstance(turn, User | Assistant) for turn in one.turns):
        return one
    query = " ".join(turn.text for turn in one.turns if isinstance(turn, User))
    words: dict[str, str] = {}
    for value in dict.fromkeys(_values(one, {tool.name: tool for tool in tools})):
        if value in query and not CALENDAR.fullmatch(value):
            words |= {word: words.get(word) or _word(word, rng) for word in WORD.findall(value)}
    if not words:
        return one
    pattern = re.compile("|".join(map(_whole, sorted(words, key=len, reverse=True))))
    turns = tuple(_turn(turn, pattern, words) for turn in one.turns)
    return msgspec.structs.replace(one, turns=turns)


def _values(one: Trajectory, tools: dict[str, Tool]) -> Iterator[str]:
    """What the calls say in free words: no member of an enum."""
    for turn in one.turns:
        for call in turn.calls if isinstance(turn, Assistant) else ():
            schemas = tools[call.name].parameters.get("properties", {})
            for name, value in call.arguments.items():
                schema = schemas.get(name, {})
                schema = schema.get("items", schema)
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, str) and "enum" not in schema:
                        yield item


def _word(word: str, rng: random.Random) -> str:
    if not word.isascii():
        return "".join(rng.choice(HAN_CHARACTERS) for _ in word)
    syllables = range(1 if len(word) < 6 else 2)
    made = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in syllables) + rng.choice(ENDS)
    if word.isupper():
        return made.upper()
    return made.capitalize() if word[0].isupper() else made


def _whole(word: str) -> str:
    """A pattern of the word, and of no part of another."""
    return rf"(?<![A-Za-z]){word}(?![A-Za-z])" if word.isascii() else word


def _turn(turn: Turn, pattern: re.Pattern[str], words: dict[str, str]) -> Turn:
    def said(text: str) -> str:
        return pattern.sub(lambda match: words[match.group()], text)

    def given(value: Json) -> Json:
        if isinstance(value, list):
            return [given(item) for item in value]
        return said(value) if isinstance(value, str) else value

    if isinstance(turn, Assistant):
        calls = tuple(
            Call(call.name, {name: given(value) for name, value in call.arguments.items()})
            for call in turn.calls
        )
        return msgspec.structs.replace(turn, thought=said(turn.thought), calls=calls)
    if isinstance(turn, User):
        return User(said(turn.text))
    return turn
