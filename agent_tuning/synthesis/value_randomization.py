"""Randomize values, so that a model copies what the user says and learns no value by heart.

Only trajectories without observations are changed: an observation could contradict a new value.
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
CALENDAR = re.compile(r"\d{4}-\d\d(-\d\d)?|\d\d?:\d\d")  # few other digits are a date or a time


def randomize_values(
    trajectory: Trajectory, tools: Sequence[Tool], rng: random.Random
) -> Trajectory:
    """The same trajectory with invented words in the values that its query mentions.

    A word is replaced by the same invention in the query, the thought and the arguments. Returns
    the trajectory itself if it observes something or has no such value.
    """
    if not all(isinstance(turn, User | Assistant) for turn in trajectory.turns):
        return trajectory
    query = " ".join(turn.text for turn in trajectory.turns if isinstance(turn, User))
    words: dict[str, str] = {}
    for value in dict.fromkeys(_list_values(trajectory, {tool.name: tool for tool in tools})):
        if value in query and not CALENDAR.fullmatch(value):
            words |= {
                word: words.get(word) or _invent_word(word, rng) for word in WORD.findall(value)
            }
    if not words:
        return trajectory
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile("|".join(_match_whole_word(word) for word in longest_first))
    turns = tuple(_replace_in_turn(turn, pattern, words) for turn in trajectory.turns)
    return msgspec.structs.replace(trajectory, turns=turns)


def _list_values(trajectory: Trajectory, tools: dict[str, Tool]) -> Iterator[str]:
    """The free words among the arguments of the calls: no member of an enum."""
    for turn in trajectory.turns:
        for call in turn.calls if isinstance(turn, Assistant) else ():
            schemas = tools[call.name].parameters.get("properties", {})
            for name, value in call.arguments.items():
                schema = schemas.get(name, {})
                if isinstance(inner := schema.get("items"), dict):
                    schema = inner
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, str) and "enum" not in schema:
                        yield item


def _invent_word(word: str, rng: random.Random) -> str:
    """A word of the same script and case. In Chinese it has as many characters."""
    if not word.isascii():
        return "".join(rng.choice(HAN_CHARACTERS) for _ in word)
    syllables = range(1 if len(word) < 6 else 2)
    start = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in syllables)
    invented = start + rng.choice(ENDS)
    if word.isupper():
        return invented.upper()
    return invented.capitalize() if word[0].isupper() else invented


def _match_whole_word(word: str) -> str:
    """A pattern that matches the word, but not as a part of another."""
    return rf"(?<![A-Za-z]){word}(?![A-Za-z])" if word.isascii() else word


def _replace_in_turn(turn: Turn, pattern: re.Pattern[str], words: dict[str, str]) -> Turn:
    def replace_words(text: str) -> str:
        return pattern.sub(lambda match: words[match.group()], text)

    def replace_in_value(value: Json) -> Json:
        if isinstance(value, list):
            return [replace_in_value(item) for item in value]
        return replace_words(value) if isinstance(value, str) else value

    if isinstance(turn, Assistant):
        calls = tuple(
            Call(
                call.name, {name: replace_in_value(value) for name, value in call.arguments.items()}
            )
            for call in turn.calls
        )
        return msgspec.structs.replace(turn, thought=replace_words(turn.thought), calls=calls)
    if isinstance(turn, User):
        return User(replace_words(turn.text))
    return turn
