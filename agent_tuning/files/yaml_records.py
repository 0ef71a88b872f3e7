"""A YAML file as a typed record, with file, line and field in every error."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from agent_tuning.records import BadInput

T = TypeVar("T")


def read(path: Path, kind: type[T], section: str | None = None, overrides: Sequence[str] = ()) -> T:
    """Read `path`, or one top-level `section` of it, as a `kind`.

    The mapping under the keys `overrides` replaces keys of the section, one by one.
    """
    root = _parse(path)
    node = _find_child(root, [] if section is None else [section])
    if node is None:
        raise BadInput(f"{path}: no section `{section}`")
    changes = _find_child(root, [*overrides]) if overrides else None
    if isinstance(node, yaml.MappingNode) and isinstance(changes, yaml.MappingNode):
        node = _replace_keys(node, changes)
    value = yaml.SafeLoader("").construct_document(node)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadInput(_locate_error(path, node, section, str(error))) from error


def find_line(path: Path, keys: list[str]) -> int:
    """The line (from 1) of the value under `keys`, or of its nearest parent."""
    root = _parse(path)
    while keys and _find_child(root, keys) is None:
        keys = keys[:-1]
    node = _find_child(root, keys)
    return node.start_mark.line + 1 if node is not None else 1


def _parse(path: Path) -> yaml.Node | None:
    """The file's tree. Raises BadInput for bad YAML, and for a key that appears twice."""
    try:
        text = path.read_bytes().decode()
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: expected UTF-8: {error.reason}") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise BadInput(f"{path}:{line}: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{path}:{line}: {error.problem}") from error
    for key in _find_repeated_keys(root):
        line = key.start_mark.line + 1
        raise BadInput(f"{path}:{line}: {key.value}: this key appears twice")
    return root


def _replace_keys(node: yaml.MappingNode, changes: yaml.MappingNode) -> yaml.MappingNode:
    """A mapping of both; every value keeps its place in the file, for error messages."""
    changed = {key.value for key, _ in changes.value}
    kept = [pair for pair in node.value if pair[0].value not in changed]
    return yaml.MappingNode(
        node.tag, [*kept, *changes.value], start_mark=node.start_mark, end_mark=node.end_mark
    )


def _find_repeated_keys(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Keys that silently replace an earlier one of the same mapping."""
    if isinstance(node, yaml.MappingNode):
        seen: set[object] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key
            seen.add(key.value)
            yield from _find_repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _find_repeated_keys(item)


def _locate_error(path: Path, node: yaml.Node, section: str | None, message: str) -> str:
    """Put file and line of the field that msgspec complains about before its message."""
    where = re.search(r" - at `(?:key in )?\$([^`]*)`$", message)
    keys = re.findall(r"[^.\[\]]+", where.group(1)) if where else []
    unknown = re.search(r"unknown field `([^`]*)`", message)
    if unknown:
        keys.append(unknown.group(1))
    while keys and _find_child(node, keys) is None:
        keys.pop()
    field = _find_child(node, keys) or node
    name = f"{section}: " if section else ""
    return f"{path}:{field.start_mark.line + 1}: {name}{message}"


def _find_child(node: yaml.Node | None, keys: list[str]) -> yaml.Node | None:
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
        else:
            return None
    return node
