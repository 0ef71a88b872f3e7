"""Other people's JSON Schemas, made self-contained: local `$ref`s replaced, OpenAPI 3.0 translated.

Schemas come in two uses. What is `sent` (a call's arguments) loses its examples and read-only
properties; what is `given` (an observation) keeps the examples and loses write-only properties.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from agent_tuning.records import BadInput, Json

Use = Literal["sent", "given"]

MAX_NODES = 20_000  # of one schema after all references are replaced; they can double at each step
MAPS = {"properties", "patternProperties", "dependentSchemas"}
LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
SINGLE = {"items", "additionalProperties", "not", "if", "then", "else", "contains"}
DROPPED = {
    *("$schema", "$id", "$comment", "$defs", "definitions", "nullable", "title"),
    *("xml", "externalDocs", "discriminator", "readOnly", "writeOnly", "deprecated"),
}
EXAMPLES = {"example", "examples"}
HIDDEN = {"sent": "readOnly", "given": "writeOnly"}
BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
TEXTS = {
    "date": "2025-03-14",
    "date-time": "2025-03-14T09:26:53Z",
    "time": "09:26:53",
    "email": "ada@example.org",
    "uri": "https://example.org/1",
    "uuid": "6f1c24a6-0c1e-4f6b-9d5b-2b7f3a9d8e10",
}


class SchemaResolver:
    """The schemas of one document."""

    def __init__(self, document: Json, path: Path) -> None:
        self.document = document
        self.path = path
        self._left = MAX_NODES

    def target(self, value: Json, place: str) -> Json:
        """What a chain of references ends at; anything else is its own target."""
        seen: set[str] = set()
        while (reference := _reference(value)) is not None:
            if reference in seen:
                raise BadInput(f"{self.path}: {place}: $ref {reference!r} leads back to itself")
            seen.add(reference)
            value = self._pointed(reference, place)
        return value

    def whole(self, schema: Json, use: Use, place: str) -> dict[str, Json]:
        """A schema that stands alone. Where it contains itself it ends after one round."""
        self._left = MAX_NODES
        made = self._schema(schema, use, place, ())
        return made if isinstance(made, dict) else {}  # true allows everything, as {} does

    def _schema(self, schema: Json, use: Use, place: str, inside: tuple[str, ...]) -> Json:
        self._left -= 1
        if self._left < 0:
            raise BadInput(f"{self.path}: {place}: more than {MAX_NODES} parts with all its $refs")
        if not isinstance(schema, dict):
            return {} if schema is True else schema  # the same, and every menu can show it
        reference = _reference(schema)
        if reference is None:
            return self._translated(schema, use, place, inside)
        found = self._pointed(reference, place)
        if reference in inside:
            return {"type": found["type"]} if "type" in found else {}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return self._schema({**found, **beside}, use, place, (*inside, reference))

    def _translated(
        self, schema: dict[str, Json], use: Use, place: str, inside: tuple[str, ...]
    ) -> dict[str, Json]:
        made: dict[str, Json] = {}
        dropped = DROPPED | (EXAMPLES if use == "sent" else set())
        for key, value in _draft_2020(schema).items():
            at = f"{place}.{key}"
            if key in MAPS and isinstance(value, dict):
                shown = {n: part for n, part in value.items() if not self._hidden(part, use, at)}
                made[key] = {
                    name: self._schema(part, use, f"{at}.{name}", inside)
                    for name, part in shown.items()
                }
            elif key in LISTS and isinstance(value, list):
                made[key] = [self._schema(part, use, at, inside) for part in value]
            elif key in SINGLE:
                made[key] = self._schema(value, use, at, inside)
            elif key not in dropped and not key.startswith("x-"):
                made[key] = value
        if isinstance(made.get("required"), list) and "properties" in made:
            made["required"] = [name for name in made["required"] if name in made["properties"]]
        return made

    def _hidden(self, schema: Json, use: Use, place: str) -> bool:
        found = self.target(schema, place)
        return isinstance(found, dict) and found.get(HIDDEN[use]) is True

    def _pointed(self, reference: str, place: str) -> dict[str, Json]:
        if not reference.startswith("#"):
            problem = f"$ref {reference!r} is remote: copy what it names into this file"
            raise BadInput(f"{self.path}: {place}: {problem}")
        found = self.document
        for part in reference[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            found = _within(found, key)
        if not isinstance(found, dict):
            raise BadInput(f"{self.path}: {place}: $ref {reference!r} names no object here")
        return found


def _within(value: Json, key: str) -> Json:
    if isinstance(value, list) and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return value.get(key) if isinstance(value, dict) else None


def _reference(value: Json) -> str | None:
    """Where a value points to; a property may be called $ref too, but holds no text."""
    reference = value.get("$ref") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else None


def _draft_2020(schema: Mapping[str, Json]) -> dict[str, Json]:
    """OpenAPI 3.0's `nullable` and boolean bounds, in the words of draft 2020-12."""
    made = dict(schema)
    if schema.get("nullable") is True:
        if isinstance(schema.get("type"), str):
            made["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list):
            made["enum"] = list(dict.fromkeys([*schema["enum"], None]))
    for bound, limit in BOUNDS.items():
        if made.get(bound) is True and limit in made:
            made[bound] = made.pop(limit)
        elif isinstance(made.get(bound), bool):
            del made[bound]
    return made


def build_example(schema: Json) -> Json:
    """A value that a schema allows: its own example where it has one."""
    if not isinstance(schema, dict):
        return None
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    if parts := schema.get("oneOf") or schema.get("anyOf"):
        return build_example(parts[0])
    values = [build_example(part) for part in schema.get("allOf", [])]
    if values or "properties" in schema:
        own = {name: build_example(part) for name, part in schema.get("properties", {}).items()}
        merged: dict[str, Json] = {}
        for value in (*values, own):
            merged.update(value if isinstance(value, dict) else {})
        return merged
    return _of_type(schema)


def _of_type(schema: Mapping[str, Json]) -> Json:
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "string":
        return TEXTS.get(schema.get("format", ""), "text")
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    values = {"integer": least, "number": least, "boolean": True, "object": {}, "null": None}
    return [build_example(schema.get("items"))] if kind == "array" else values.get(kind)
