"""The accepted values of an argument as lines of a text box, and back.

Each value has a line of its own. Values of an argument of type string appear as they are, in
quotes only where the plain line would be read as something else. All other values are JSON.
"""

import json
from collections.abc import Sequence

import msgspec

from agent_tuning.records import Json


def describe_type(property: Json) -> str:
    """A schema's type in a word or two."""
    if not isinstance(property, dict):  # `true`: anything
        return "any"
    type, items = property.get("type", "any"), property.get("items")
    if type == "array" and isinstance(items, dict) and "type" in items:
        return f"array of {describe_type(items)}"
    return type if isinstance(type, str) else " or ".join(map(str, type))


def read_description(property: Json) -> str:
    return str(property.get("description", "")) if isinstance(property, dict) else ""


def format_values(accepted: Sequence[Json], type: str) -> str:
    return "\n".join(format_value(value, type) for value in accepted)


def parse_values(lines: str, type: str) -> tuple[Json, ...]:
    """Accepted values, one a line. Raises ValueError with the line that is not JSON."""
    return tuple(_parse_value(line, type) for line in lines.split("\n") if line.strip())


def format_value(value: Json, type: str = "") -> str:
    if type == "string" and isinstance(value, str) and _is_plain(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    # Escape what nobody can see in a text box, such as a right-to-left mark.
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _is_plain(text: str) -> bool:
    return text.isprintable() and text == text.strip() and text[:1] not in ("", '"')


def _parse_value(line: str, type: str) -> Json:
    if type == "string" and not line.startswith('"'):
        return line.strip()
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"expected JSON of type {type}: {line.strip()}") from error
