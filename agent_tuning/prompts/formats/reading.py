"""What every format needs to read a reply: JSON inside a text, and errors with the character."""

import json
import re
from collections.abc import Sequence
from typing import NoReturn

from agent_tuning.records import Assistant, Call, Json

_BLANK = re.compile(r"\s*")


class MalformedReply(ValueError):
    """A model's text that is no decision in the format of its prompt."""

    def __init__(self, expected: str, text: str, position: int) -> None:
        found = text[position : position + 20]
        super().__init__(f"expected {expected} at character {position}, found {found!r}")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def read_json_value(text: str, position: int, expected: str = "JSON") -> tuple[Json, int]:
    """The JSON value that starts at `position`, and where it ends."""
    try:
        value, end = _decoder.raw_decode(text, position)
        format_json(value).encode()  # 1e999 and half of a surrogate pair could not be written again
    except (ValueError, RecursionError) as error:
        place = error.pos if isinstance(error, json.JSONDecodeError) else position
        raise MalformedReply(expected, text, place) from error
    return value, end


def read_json_object(text: str, position: int) -> tuple[dict[str, Json], int]:
    """The JSON object that starts at `position`, and where it ends."""
    value, end = read_json_value(text, position, "a JSON object")
    if not isinstance(value, dict):
        raise MalformedReply("a JSON object", text, position)
    return value, end


def format_json(value: Json) -> str:
    """One line of JSON, in the spelling that models know best."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def skip_blanks(text: str, position: int) -> int:
    """The position of the next character that is not blank."""
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def expect_end(text: str, position: int) -> None:
    """Raise MalformedReply if anything but blanks follows."""
    if text[position:].strip():
        raise MalformedReply("the end", text, position)


def build_decision(
    thought: str, calls: Sequence[Call] | None, answer: str | None, ask: str | None
) -> Assistant:
    """The turn with the one part that is given. Raises ValueError if none or several are."""
    if sum(part is not None for part in (calls, answer, ask)) != 1:
        raise ValueError("one of a call, an answer and a question")
    thought = " ".join(thought.split()) if "\n" in thought else thought.strip()
    if answer is not None:
        return Assistant("no_call", thought, text=answer)
    if ask is not None:
        return Assistant("ask", thought, text=ask)
    return Assistant("call", thought, tuple(calls or ()))
