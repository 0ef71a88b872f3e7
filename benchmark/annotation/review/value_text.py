"""The accepted values of an argument as lines of a text box, and back.

They stand one a line: as they are for an argument of type string, as JSON otherwise, and in quotes
where a plain line could not be told from something else.
"""

import json
from collections.abc import Mapping, Sequence

import msgspec

from agent_tuning.records import Json


def describe_type(property: Mapping[str, Json]) -> str:
    """A schema's type in a word or two."""
    found = property.get("type", "any")
    if found == "array" and "type" in property.get("items", {}):
        return f"array of {describe_type(property['items'])}"
    return found if isinstance(found, str) else " or ".join(map(str, found))


def format_values(accepted: Sequence[Json], type: str) -> str:
    return "\n".join(format_value(value, type) for value in accepted)


def parse_values(lines: str, type: str) -> tuple[Json, ...]:
    """Accepted values, one a line; raises ValueError naming the line that is no JSON."""
    return tuple(_value(line, type) for line in lines.split("\n") if line.strip())


def format_value(value: Json, type: str = "") -> str:
    if type == "string" and isinstance(value, str) and _plain(value):
        return value
    spelt = json.dumps(value, ensure_ascii=False)
    # What nobody can see in a box, such as a right-to-left mark, must not get lost in it.
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in spelt)


def _plain(text: str) -> bool:
    return text.isprintable() and text == text.strip() and text[:1] not in ("", '"')


def _value(line: str, type: str) -> Json:
    if type == "string" and not line.startswith('"'):
        return line.strip()
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"expected JSON of type {type}: {line.strip()}") from error
