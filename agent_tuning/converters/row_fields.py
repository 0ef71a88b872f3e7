"""Rows as records: a field that a format does not know is an error.

Silence would lose what it means, such as a refusal or a flag of the loss. A field says nothing if
it is null or empty. Others are ignored by name: those of `IGNORED` of a record, and those that the
user names, as `messages.score` for a field of a message.
"""

import difflib
from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from agent_tuning.records import Json

T = TypeVar("T")
# What sets say about a row and not in it.
ABOUT_A_ROW = frozenset(
    {
        *("id", "uuid", "idx", "index", "hash", "source", "dataset", "data_source", "split"),
        *("subset", "category", "domain", "lang", "language", "license", "metadata", "meta"),
        *("model", "created", "timestamp", "version", "tags", "num_turns", "used_in"),
    }
)


def convert(value: Json, kind: type[T], ignored: Collection[str] = ()) -> T:
    """A row as a record. Raises ValueError with field and problem."""
    hashable: Any = kind
    return msgspec.convert(_keep_known(value, _describe(hashable), "", frozenset(ignored)), kind)


def says_nothing(value: Json) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def refuse_field(place: str, field: str, known: Collection[str]) -> ValueError:
    """The error for a field that nothing here reads."""
    near = difflib.get_close_matches(field, known, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(known))}"
    return ValueError(f"{place + ': ' if place else ''}unknown field `{field}`: {hint}")


@cache
def _describe(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _keep_known(value: Json, info: inspect.Type, place: str, ignored: frozenset[str]) -> Json:
    """The value with the fields that its records know."""
    if isinstance(info, inspect.UnionType):
        wanted = inspect.StructType if isinstance(value, dict) else inspect.ListType
        info = next((one for one in info.types if isinstance(one, wanted)), info)
    if isinstance(info, inspect.ListType) and isinstance(value, list):
        at = f"{place}." if place else ""
        return [_keep_known(v, info.item_type, f"{at}{n}", ignored) for n, v in enumerate(value)]
    if not isinstance(info, inspect.StructType) or not isinstance(value, dict):
        return value
    fields = {field.encode_name: field.type for field in info.fields}
    kept: dict[str, Json] = {}
    for key, part in value.items():
        at = f"{place}.{key}" if place else key
        if _name(at) in ignored:
            continue
        if key in fields:
            kept[key] = _keep_known(part, fields[key], at, ignored)
        elif not (says_nothing(part) or key in _ignored_by(info.cls)):
            error = refuse_field(place, key, fields)
            raise ValueError(f"{error}; if it means nothing here, use --ignore {_name(at)}")
    return kept


def _ignored_by(kind: type) -> Collection[str]:
    names: Collection[str] = getattr(kind, "IGNORED", ())
    return names


def _name(place: str) -> str:
    """A place without numbers: `messages.3.score` is messages.score."""
    return ".".join(part for part in place.split(".") if not part.isdigit())
