"""Other people's JSON Schemas without references: local `$ref`s replaced, OpenAPI 3.0 translated.

A schema has one of two uses. What is `sent` (a call's arguments) loses its examples and read-only
properties. What is `given` (an observation) keeps its examples and loses write-only properties.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from agent_tuning.records import BadInput, Json

Use = Literal["sent", "given"]

MAX_NODES = 20_000  # of one schema without references; each reference can double it
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
        """The end of a chain of references; any other value is its own target."""
        seen: set[str] = set()
        while (reference := _find_reference(value)) is not None:
            if reference in seen:
                raise BadInput(f"{self.path}: {place}: $ref {reference!r} refers only to itself")
            seen.add(reference)
            value = self._find_target(reference, place)
        return value

    def resolve(self, schema: Json, use: Use, place: str) -> dict[str, Json]:
        """A schema without references. One that contains itself ends after one round."""
        self._left = MAX_NODES
        resolved = self._resolve(schema, use, place, ())
        return resolved if isinstance(resolved, dict) else {}  # true allows everything, as {} does

    def _resolve(self, schema: Json, use: Use, place: str, inside: tuple[str, ...]) -> Json:
        self._left -= 1
        if self._left < 0:
            raise BadInput(f"{self.path}: {place}: more than {MAX_NODES} parts with all its $refs")
        if not isinstance(schema, dict):
            return {} if schema is True else schema  # the same, and every tool format can write it
        reference = _find_reference(schema)
        if reference is None:
            return self._translate(schema, use, place, inside)
        target = self._find_target(reference, place)
        if reference in inside:
            return {"type": target["type"]} if "type" in target else {}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return self._resolve({**target, **beside}, use, place, (*inside, reference))

    def _translate(
        self, schema: dict[str, Json], use: Use, place: str, inside: tuple[str, ...]
    ) -> dict[str, Json]:
        translated: dict[str, Json] = {}
        dropped = DROPPED | (EXAMPLES if use == "sent" else set())
        for key, value in _translate_to_draft_2020(schema).items():
            at = f"{place}.{key}"
            if key in MAPS and isinstance(value, dict):
                shown = {n: part for n, part in value.items() if not self._is_hidden(part, use, at)}
                translated[key] = {
                    name: self._resolve(part, use, f"{at}.{name}", inside)
                    for name, part in shown.items()
                }
            elif key in LISTS and isinstance(value, list):
                translated[key] = [self._resolve(part, use, at, inside) for part in value]
            elif key in SINGLE:
                translated[key] = self._resolve(value, use, at, inside)
            elif key not in dropped and not key.startswith("x-"):
                translated[key] = value
        if isinstance(translated.get("required"), list) and "properties" in translated:
            translated["required"] = [
                name for name in translated["required"] if name in translated["properties"]
            ]
        return translated

    def _is_hidden(self, schema: Json, use: Use, place: str) -> bool:
        target = self.target(schema, place)
        return isinstance(target, dict) and target.get(HIDDEN[use]) is True

    def _find_target(self, reference: str, place: str) -> dict[str, Json]:
        if not reference.startswith("#"):
            problem = f"$ref {reference!r} is remote: copy what it names into this file"
            raise BadInput(f"{self.path}: {place}: {problem}")
        value = self.document
        for part in reference[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            value = _find_child(value, key)
        if not isinstance(value, dict):
            raise BadInput(
                f"{self.path}: {place}: $ref {reference!r} is no object of this document"
            )
        return value


def _find_child(value: Json, key: str) -> Json:
    if isinstance(value, list) and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return value.get(key) if isinstance(value, dict) else None


def _find_reference(value: Json) -> str | None:
    """The reference that a value is. A property may be called $ref too, but holds no text."""
    reference = value.get("$ref") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else None


def _translate_to_draft_2020(schema: Mapping[str, Json]) -> dict[str, Json]:
    """OpenAPI 3.0's `nullable` and boolean bounds, in the words of draft 2020-12."""
    translated = dict(schema)
    if schema.get("nullable") is True:
        if isinstance(schema.get("type"), str):
            translated["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list):
            translated["enum"] = list(dict.fromkeys([*schema["enum"], None]))
    for bound, limit in BOUNDS.items():
        if translated.get(bound) is True and limit in translated:
            translated[bound] = translated.pop(limit)
        elif isinstance(translated.get(bound), bool):
            del translated[bound]
    return translated


def build_example(schema: Json) -> Json:
    """A value that the schema allows: its own example if it has one."""
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
    return _build_by_type(schema)


def _build_by_type(schema: Mapping[str, Json]) -> Json:
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "string":
        return TEXTS.get(schema.get("format", ""), "text")
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    values = {"integer": least, "number": least, "boolean": True, "object": {}, "null": None}
    return [build_example(schema.get("items"))] if kind == "array" else values.get(kind)
