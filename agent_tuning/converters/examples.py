"""An observation made from the schema of what a tool gives back."""

from collections.abc import Mapping
from enum import Enum
from typing import Literal

from agent_tuning.records import Json

TEXTS = {
    "date": "2025-03-14",
    "date-time": "2025-03-14T09:26:53Z",
    "time": "09:26:53",
    "email": "ada@example.org",
    "uri": "https://example.org/1",
    "uuid": "6f1c24a6-0c1e-4f6b-9d5b-2b7f3a9d8e10",
}
# What tools for documents write where an author wrote nothing.
PLACEHOLDERS = {"string", "text", ""}


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN = _Unknown.UNKNOWN
Value = Json | Literal[_Unknown.UNKNOWN]


def build_example(schema: Json) -> Value:
    """A value that the schema allows: its own example if it has one.

    UNKNOWN if the schema leaves open what a real value says, as `{"type": "string"}` does. Unknown
    properties and items are left out.
    """
    if not isinstance(schema, dict):
        return UNKNOWN
    for key in ("example", "default", "const"):
        if key in schema and not is_placeholder(schema[key]):
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key] and not is_placeholder(schema[key][0]):
            return schema[key][0]
    if parts := schema.get("oneOf") or schema.get("anyOf"):
        return build_example(parts[0])
    values = [build_example(part) for part in schema.get("allOf", [])]
    if values or "properties" in schema:
        own = {name: build_example(part) for name, part in schema.get("properties", {}).items()}
        merged: dict[str, Json] = {}
        for value in (*values, own):
            merged.update(value if isinstance(value, dict) else {})
        known = {name: value for name, value in merged.items() if value is not UNKNOWN}
        return known or UNKNOWN
    return _build_by_type(schema)


def is_placeholder(example: Json) -> bool:
    """Are all texts in an example placeholders, such as `string`? Then it shows no real result."""
    texts = list(_list_texts(example))
    return bool(texts) and PLACEHOLDERS.issuperset(texts)


def _list_texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _list_texts(part)]


def _build_by_type(schema: Mapping[str, Json]) -> Value:
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "string":
        return TEXTS.get(schema.get("format", ""), UNKNOWN)
    if kind == "array":
        item = build_example(schema.get("items"))
        return UNKNOWN if item is UNKNOWN else [item]
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    values = {"integer": least, "number": least, "boolean": True, "null": None}
    return values.get(kind, UNKNOWN)
