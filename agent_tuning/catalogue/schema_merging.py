"""JSON Schemas in the words that every tool list can write, with the same meaning.

Most tool lists write type, choices, properties and description of a parameter and nothing else.
What `allOf`, `anyOf` and `oneOf` say is therefore said in these words: parts of `allOf` are merged,
an alternative to null becomes one more type, and other alternatives get the types, choices and
properties that they share as a whole. A schema without these keywords stays as it is.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agent_tuning.catalogue.schema_references import change_parts
from agent_tuning.records import Json

NOTES = {
    *("title", "description", "default", "example", "examples", "deprecated", "$comment"),
    *("readOnly", "writeOnly"),
}
LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
NULL = "null"
JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
    (type(None), NULL),
)


def simplify(schema: Json) -> Json:
    """The schema, and all schemas in it, in the words of tool lists.

    Expects a valid schema (draft 2020-12) without references.
    """
    if not isinstance(schema, dict):
        return schema
    simple = change_parts(schema, lambda part, _: simplify(part), "")
    if "const" in simple and "enum" not in simple:
        simple = dict(_name_choice(key, value) for key, value in simple.items())
    simple = _drop_impossible(simple)
    if "allOf" in simple:
        simple = _merge_parts(simple)
    for key in ("anyOf", "oneOf"):
        parts = simple.get(key, ())
        if parts and all(isinstance(part, dict) for part in parts):
            simple = _write_alternatives(simple, key, parts)
    return simple


def _name_choice(key: str, value: Json) -> tuple[str, Json]:
    """The only value of `const` as the only choice of `enum`."""
    return ("enum", [value]) if key == "const" else (key, value)


def _drop_impossible(schema: dict[str, Json]) -> dict[str, Json]:
    """Without properties that no value fits (`false`)."""
    properties = schema.get("properties", {})
    kept = {name: part for name, part in properties.items() if part is not False}
    return schema if len(kept) == len(properties) else {**schema, "properties": kept}


def _merge_parts(schema: dict[str, Json]) -> dict[str, Json]:
    """Without `allOf`, but for parts that contradict the others."""
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    apart: list[Json] = []
    for part in schema["allOf"]:
        both = _merge(merged, part) if isinstance(part, dict) else None
        if both is not None:
            merged = both
        elif part is not True:
            apart.append(part)
    return _put_type_first({**merged, "allOf": apart} if apart else merged)


def _merge(schema: dict[str, Json], other: dict[str, Json]) -> dict[str, Json] | None:
    """A schema that allows what both allow; None if no such schema can be written simply."""
    merged = dict(schema)
    for key, value in other.items():
        mine: Json = merged.get(key)
        if key not in merged or mine is True:
            merged[key] = value
        elif mine == value or key in NOTES:
            continue
        elif key in ("properties", "patternProperties") and isinstance(value, dict):
            merged[key] = _merge_properties(mine, value)
        elif key == "required":
            merged[key] = list(dict.fromkeys([*mine, *value]))
        elif key in LOWER_BOUNDS:
            merged[key] = max(mine, value)
        elif key in UPPER_BOUNDS:
            merged[key] = min(mine, value)
        elif key == "enum" and (shared := [choice for choice in mine if choice in value]):
            merged[key] = shared
        elif key == "type" and (kinds := _intersect_types(_list_types(mine), _list_types(value))):
            merged[key] = _write_types(kinds)
        elif key != "additionalProperties":  # closed to the properties of the other part alone
            return None
    return merged


def _merge_properties(mine: dict[str, Json], other: dict[str, Json]) -> dict[str, Json]:
    merged = dict(mine)
    for name, schema in other.items():
        known = merged.get(name, schema)
        merged[name] = known if known == schema else simplify({"allOf": [known, schema]})
    return merged


def _write_alternatives(
    schema: dict[str, Json], key: str, parts: Sequence[dict[str, Json]]
) -> dict[str, Json]:
    values = [part for part in parts if set(_find_types(part)) != {NULL}]
    if len(values) == 1 and len(values) < len(parts):
        outer = {name: value for name, value in schema.items() if name != key}
        merged = _merge(outer, _allow_null(values[0]))
        if merged is not None:
            return _put_type_first(merged)
    widened = dict(schema)
    types = [kind for part in parts for kind in _find_types(part)]
    if "type" not in schema and all(any(_find_types(part)) for part in parts):
        widened["type"] = _write_types(list(dict.fromkeys(types)))
    if "enum" not in schema and all("enum" in part for part in parts):
        widened["enum"] = _keep_distinct(choice for part in parts for choice in part["enum"])
    if "properties" not in schema and all("properties" in part for part in parts):
        widened |= _share_properties(schema, parts)
    return _put_type_first(widened)


def _allow_null(schema: dict[str, Json]) -> dict[str, Json]:
    nullable = dict(schema)
    if "type" in schema:
        nullable["type"] = list(dict.fromkeys([*_list_types(schema["type"]), NULL]))
    if "enum" in schema and None not in schema["enum"]:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def _share_properties(schema: dict[str, Json], parts: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """The properties of all alternatives, and what each of them requires."""
    properties: dict[str, list[Json]] = {}
    for part in parts:
        for name, value in part["properties"].items():
            properties.setdefault(name, []).append(value)
    required = [
        name for name in properties if all(name in part.get("required", ()) for part in parts)
    ]
    return {
        "properties": {
            name: schemas[0] if len(schemas) == 1 else simplify({"anyOf": schemas})
            for name, schemas in zip(
                properties, map(_keep_distinct, properties.values()), strict=True
            )
        },
        "required": list(dict.fromkeys([*schema.get("required", ()), *required])),
    }


def _find_types(schema: dict[str, Json]) -> Iterator[str]:
    """The types of the values that a schema allows, or nothing if it does not say."""
    if "type" in schema:
        yield from _list_types(schema["type"])
    elif isinstance(schema.get("enum"), list):
        for choice in schema["enum"]:
            yield next(name for kind, name in JSON_TYPES if isinstance(choice, kind))


def _list_types(value: Json) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _write_types(types: Sequence[str]) -> Json:
    return types[0] if len(types) == 1 else list(types)


def _intersect_types(types: Sequence[str], others: Sequence[str]) -> list[str]:
    """Whole numbers are numbers too."""
    shared = [kind for kind in types if kind in others]
    if "integer" in {*types, *others} - {*shared} and "number" in {*types, *others} - {*shared}:
        shared.append("integer")
    return shared


def _keep_distinct(values: Iterable[Json]) -> list[Json]:
    """Each value once; 1 and true are two."""
    return list({msgspec.json.encode(value): value for value in values}.values())


def _put_type_first(schema: dict[str, Json]) -> dict[str, Json]:
    return {"type": schema["type"], **schema} if "type" in schema else schema
