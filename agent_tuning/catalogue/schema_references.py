"""References inside JSON Schemas, written out: no tool list follows a `$ref`.

References to other files and hosts are never followed. A schema that contains itself ends after
one round, and one that grows too large loses the inside of its innermost references.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from agent_tuning.records import Json

MAX_PARTS = 1_000  # of a schema whose references are written out
MAX_NESTED = 20  # references in each other
REFERENCE = "$ref"
UNSUPPORTED = ("$dynamicRef", "$recursiveRef")
# Keywords with schemas below them: by name, in a list, or one.
MAPS = {"properties", "patternProperties", "dependentSchemas", "dependencies"}
LISTS = {"allOf", "anyOf", "oneOf", "prefixItems", "items"}
SINGLE = {
    *("items", "additionalItems", "unevaluatedItems", "contains", "additionalProperties"),
    *("unevaluatedProperties", "propertyNames", "not", "if", "then", "else", "contentSchema"),
}
TARGETS = {"$defs", "definitions", "$anchor", "$dynamicAnchor", "$id", "id"}

Change = Callable[[Json, str], Json]


class SchemaProblem(ValueError):
    """A schema that cannot be used: one line with place and problem."""


class _TooLarge(Exception):
    """The schema has too many parts with all its references."""


class _Limits(NamedTuple):
    nested: int  # references that may be open
    parts: list[int]  # how many parts are left, one number that all share


def change_parts(schema: dict[str, Json], change: Change, place: str) -> dict[str, Json]:
    """The schema with every schema right below it replaced by `change(part, place)`."""
    changed: dict[str, Json] = {}
    for key, value in schema.items():
        at = f"{place}.{key}"
        if key in MAPS and isinstance(value, dict):
            changed[key] = {
                name: change(part, f"{at}.{name}") if isinstance(part, dict | bool) else part
                for name, part in value.items()
            }
        elif key in LISTS and isinstance(value, list):
            changed[key] = [change(part, f"{at}.{n}") for n, part in enumerate(value)]
        elif key in SINGLE and isinstance(value, dict | bool):
            changed[key] = change(value, at)
        else:
            changed[key] = value
    return changed


class References:
    """The references of one document."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._anchors: dict[str, Json] | None = None

    def follow(self, value: Json, place: str) -> Json:
        """The end of a chain of references; any other value is its own end."""
        seen: set[str] = set()
        while (reference := find_reference(value)) is not None:
            if reference in seen:
                raise SchemaProblem(f"{place}: $ref {reference!r} refers only to itself")
            seen.add(reference)
            value = self._find_target(reference, place)
        return value

    def write_out(self, schema: Json, place: str, most: int = MAX_PARTS) -> Json:
        """The schema without references and of at most `most` parts; itself if it has none.

        Raises SchemaProblem for a reference that leads out of the document, or nowhere.
        """
        if not any(map(_refers, _list_schemas(schema))):
            return schema
        written: Json = None
        for nested in (MAX_NESTED, *range(MAX_NESTED)):
            try:
                written = self._write_out(schema, place, (), _Limits(nested, [most]))
            except _TooLarge:
                if nested < MAX_NESTED:
                    break
            else:
                if nested == MAX_NESTED:
                    break
        if written is None:
            raise SchemaProblem(f"{place}: more than {most} parts")
        return written

    def _write_out(
        self, schema: Json, place: str, inside: tuple[str, ...], limits: _Limits
    ) -> Json:
        limits.parts[0] -= 1
        if limits.parts[0] < 0:
            raise _TooLarge
        if not isinstance(schema, dict):
            return schema
        for keyword in UNSUPPORTED:
            if keyword in schema:
                raise SchemaProblem(f"{place}: {keyword} is not supported; write a $ref")
        reference = find_reference(schema)
        if reference is None:
            own = {key: value for key, value in schema.items() if not _is_target(key, value)}
            return change_parts(
                own, lambda part, at: self._write_out(part, at, inside, limits), place
            )
        target = self._find_target(reference, place)
        if not isinstance(target, dict):
            return target
        if reference in inside or len(inside) >= limits.nested:
            return {"type": target["type"]} if "type" in target else {}
        beside = {key: value for key, value in schema.items() if key != REFERENCE}
        return self._write_out({**target, **beside}, place, (*inside, reference), limits)

    def _find_target(self, reference: str, place: str) -> Json:
        if not reference.startswith("#"):
            raise SchemaProblem(
                f"{place}: $ref {reference!r} is remote: copy what it names into this file"
            )
        fragment = unquote(reference[1:])
        if fragment and not fragment.startswith("/"):
            if self._anchors is None:
                self._anchors = dict(_list_anchors(self.document))
            value = self._anchors.get(fragment)
        else:
            value = self.document
            for part in fragment.split("/")[1:]:
                value = _find_child(value, part.replace("~1", "/").replace("~0", "~"))
        if not isinstance(value, dict | bool):
            problem = f"$ref {reference!r} is no object of this document"
            raise SchemaProblem(f"{place}: {problem}")
        return value


def find_reference(value: Json) -> str | None:
    """The reference that a value is. A property may be called $ref too, but holds no text."""
    reference = value.get(REFERENCE) if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else None


def _refers(schema: dict[str, Json]) -> bool:
    return find_reference(schema) is not None or any(key in schema for key in UNSUPPORTED)


def _list_schemas(schema: Json) -> Iterator[dict[str, Json]]:
    """The schema and all schemas in it, but for those that only a reference reaches."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            change_parts(part, lambda inner, _: waiting.append(inner), "")


def _is_target(key: str, value: Json) -> bool:
    """Is this there for references alone?"""
    return key in TARGETS and (key != "id" or isinstance(value, str))


def _list_anchors(document: Json) -> Iterator[tuple[str, Json]]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key in ("$anchor", "$dynamicAnchor", "$id", "id"):
                if isinstance(name := value.get(key), str):
                    yield name.removeprefix("#"), value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _find_child(value: Json, key: str) -> Json:
    if isinstance(value, list) and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return value.get(key) if isinstance(value, dict) else None
