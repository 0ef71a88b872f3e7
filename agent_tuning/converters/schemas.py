"""Other people's JSON Schemas in the words of draft 2020-12 and of our tool lists.

A schema has one of three uses. What is `sent` (a tool's arguments in a document) loses its examples
and read-only properties. What is `given` (an observation) keeps its examples and loses write-only
properties. What is `listed` (a tool in the row of a data set) loses nothing.
"""

from collections.abc import Mapping
from typing import Literal

from agent_tuning.catalogue import schema as json_schema
from agent_tuning.catalogue import schema_merging
from agent_tuning.catalogue.schema_references import (
    MAX_PARTS,
    References,
    SchemaProblem,
    change_parts,
)
from agent_tuning.records import Json

Use = Literal["sent", "given", "listed"]

GIVEN_PARTS = 300  # of an observation: a model reads it
NOTES = {
    *("$schema", "$id", "$comment", "$defs", "definitions", "nullable", "title"),
    *("xml", "externalDocs", "discriminator", "readOnly", "writeOnly", "deprecated"),
}
EXAMPLES = {"example", "examples"}
DROPPED = {"sent": NOTES | EXAMPLES, "given": NOTES, "listed": {"nullable"}}
HIDDEN = {"sent": "readOnly", "given": "writeOnly", "listed": ""}
BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def resolve(schema: Json, references: References, use: Use, place: str) -> dict[str, Json]:
    """A schema without references, as every tool list can write it.

    Raises SchemaProblem with its place if that cannot be.
    """
    most = GIVEN_PARTS if use == "given" else MAX_PARTS
    written = _translate(references.write_out(schema, place, most), use)
    if problem := json_schema.find_schema_problem(written):
        raise SchemaProblem(f"{place}: not a JSON Schema: {problem}")
    simple = schema_merging.simplify(written)
    return simple if isinstance(simple, dict) else {}  # true allows everything, as {} does


def read_parameters(schema: Json, place: str) -> dict[str, Json]:
    """The parameters of a tool in a row. Raises SchemaProblem if they are none."""
    parameters = complete_parameters(resolve(schema, References(schema), "listed", place))
    if parameters.get("type") != "object":
        raise SchemaProblem(f"{place}: expected parameters of type object")
    return parameters


def complete_parameters(schema: dict[str, Json]) -> dict[str, Json]:
    """With the type that properties have; an empty schema is that of no arguments."""
    if not schema:
        return {"type": "object", "properties": {}}
    untyped = "type" not in schema and "properties" in schema
    return {"type": "object", **schema} if untyped else schema


def _translate(schema: Json, use: Use) -> Json:
    if not isinstance(schema, dict):
        return {} if schema is True and use != "listed" else schema
    modern = _translate_to_draft_2020(schema)
    if isinstance(properties := modern.get("properties"), dict):
        shown = {name: part for name, part in properties.items() if not _is_hidden(part, use)}
        if len(shown) < len(properties):
            modern = {**modern, "properties": shown}
    translated = {
        key: value
        for key, value in change_parts(modern, lambda part, _: _translate(part, use), "").items()
        if key not in DROPPED[use] and not (key.startswith("x-") and use != "listed")
    }
    required = translated.get("required")
    if use != "listed" and isinstance(required, list) and "properties" in translated:
        translated["required"] = [name for name in required if name in translated["properties"]]
    return translated


def _is_hidden(schema: Json, use: Use) -> bool:
    return isinstance(schema, dict) and schema.get(HIDDEN[use]) is True


def _translate_to_draft_2020(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Tuples and boolean bounds of older drafts, and OpenAPI's `nullable`."""
    translated = dict(schema)
    if schema.get("nullable") is True:
        if isinstance(schema.get("type"), str):
            translated["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list):
            choices = schema["enum"]
            translated["enum"] = choices if None in choices else [*choices, None]
    for bound, limit in BOUNDS.items():
        if translated.get(bound) is True and limit in translated:
            translated[bound] = translated.pop(limit)
        elif isinstance(translated.get(bound), bool):
            del translated[bound]
    if isinstance(translated.get("items"), list):
        translated["prefixItems"] = translated.pop("items")
        if "additionalItems" in translated:
            translated["items"] = translated.pop("additionalItems")
    return translated
