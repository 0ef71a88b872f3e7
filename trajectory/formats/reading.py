"""What every reader needs: JSON in the middle of a text, and an error that names the place."""

import json
from typing import NoReturn

from trajectory.records import Json


class Malformed(ValueError):
    """A model's text that is no decision in the asked format."""

    def __init__(self, expected: str, text: str, position: int) -> None:
        found = text[position : position + 20]
        super().__init__(f"expected {expected} at character {position}, found {found!r}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)


def json_object(text: str, position: int) -> tuple[dict[str, Json], int]:
    """The JSON object that starts at `position`, and where it ends."""
    try:
        value, end = _decoder.raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        raise Malformed("a JSON object", text, getattr(error, "pos", position)) from error
    if not isinstance(value, dict):
        raise Malformed("a JSON object", text, position)
    return value, end


def json_text(value: Json) -> str:
    """One line of JSON, in the spelling that models know best."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
