"""Other people's JSON, read so that no value changes in silence.

A record can hold neither NaN nor half a surrogate pair, nor a number of more than 64 bits, and of a
repeated key only the last value. Each is an error that names its field.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator

from agent_tuning.records import Json

MAX_DEPTH = 200  # of lists and objects in each other; our own are below 20
MAX_INTEGER = 2**63
MAX_DIGITS = 20
SHOWN_CHARACTERS = 40  # of a text in an error
# What a text must have for a value that needs a look, besides repeated keys and depth.
SUSPECT = re.compile(r"\\u[dD][89a-fA-F]|NaN|Infinity|[0-9]{19}|[0-9][eE]\+?[0-9]{3}")


class _RepeatedKey(dict[str, Json]):
    """An object in which a key appears twice."""

    key: str = ""


def decode(text: bytes | str) -> Json:
    """The value of a JSON text.

    Raises ValueError with field and problem, json.JSONDecodeError if it is no JSON, and
    UnicodeDecodeError if it is not UTF-8.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    objects = _Objects()
    try:
        value = json.loads(text, object_pairs_hook=objects.build, parse_int=_read_integer)
    except RecursionError:
        raise ValueError(f"lists and objects are more than {MAX_DEPTH} deep") from None
    may_be_deep = text.count("[") + text.count("{") > MAX_DEPTH
    if objects.repeated or may_be_deep or SUSPECT.search(text):
        check(value)
    return value


def decode_text(text: str, field: str) -> Json:
    """The value of a JSON text inside a field. Raises ValueError that names the field."""
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{field}: expected JSON, found {shorten(text)}: {error.msg}") from error
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error


def shorten(text: str) -> str:
    """The beginning of a text, in quotes, for an error."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return repr(cut)


def check(value: Json) -> None:
    """Raise ValueError with field and problem if a record could not hold the value."""
    for field, problem in find_problems(value):
        raise ValueError(f"{field}: {problem}" if field else problem)


def find_problems(value: Json) -> Iterator[tuple[str, str]]:
    """Fields, as `messages.0.content`, that a record could not hold, and why."""
    waiting: list[tuple[tuple[str, ...], Json]] = [((), value)]
    while waiting:
        keys, part = waiting.pop()
        if isinstance(part, str | float | int):
            if problem := _find_scalar_problem(part):
                yield ".".join(keys), problem
        elif len(keys) > MAX_DEPTH:
            yield ".".join(keys[:3]), f"lists and objects are more than {MAX_DEPTH} deep"
        elif isinstance(part, dict):
            if isinstance(part, _RepeatedKey):
                yield ".".join((*keys, part.key)), "this key appears twice"
            for key in part:
                if problem := _find_scalar_problem(key):
                    yield ".".join(keys), f"a key: {problem}"
            waiting += [((*keys, key), inner) for key, inner in reversed(part.items())]
        elif isinstance(part, list | tuple):
            numbered = [((*keys, str(number)), inner) for number, inner in enumerate(part)]
            waiting += reversed(numbered)


def _find_scalar_problem(value: str | float | int) -> str:
    if isinstance(value, str):
        if value.isascii():
            return ""
        half = next((char for char in value if "\ud800" <= char <= "\udfff"), "")
        return f"half a surrogate pair, {half!r}: no text can hold it" if half else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} is no number of JSON"
    return "" if -MAX_INTEGER <= value < MAX_INTEGER else "a number of more than 64 bits"


class _Objects:
    """Builds objects, and remembers whether one has a repeated key."""

    repeated = False

    def build(self, pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        built = dict(pairs)
        if len(built) == len(pairs):
            return built
        self.repeated = True
        counts = Counter(key for key, _ in pairs)
        marked = _RepeatedKey(built)
        marked.key = next(key for key, count in counts.items() if count > 1)
        return marked


def _read_integer(text: str) -> int:
    """Python refuses to read very long ones; their value does not matter, only that it is large."""
    return int(text) if len(text) <= MAX_DIGITS else MAX_INTEGER
