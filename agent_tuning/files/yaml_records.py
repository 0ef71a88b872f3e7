"""A YAML file as a typed record, with file, line and field in every error."""

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from agent_tuning.records import BadInput

T = TypeVar("T")

# Far above any file of ours; below what would take seconds, or fill Python's stack.
MAX_DEPTH = 100
MAX_VALUES = 200_000  # with every alias written out
MERGE_TAG = "tag:yaml.org,2002:merge"  # of the key <<


class _Loader(yaml.composer.Composer, yaml.CSafeLoader):
    """Refuses what grows without bounds while it is read: deep nesting, and aliases of aliases."""

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        yaml.composer.Composer.__init__(self)
        self.depth = 0
        self.sizes: dict[int, int] = {}  # values in a complete node, by its id

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()
        mark, is_alias = event.start_mark, isinstance(event, yaml.AliasEvent)
        if self.depth == MAX_DEPTH:
            raise _problem(f"expected at most {MAX_DEPTH} levels of nesting", mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        if is_alias and id(node) not in self.sizes:
            raise _problem("this alias stands inside of what it repeats", mark)
        if not is_alias:
            self.sizes[id(node)] = 1 + sum(self.sizes[id(part)] for part in _list_parts(node))
        if self.sizes[id(node)] > MAX_VALUES:
            raise _problem(f"expected at most {MAX_VALUES} values, with aliases written out", mark)
        return node


def read(path: Path, kind: type[T], section: str | None = None, overrides: Sequence[str] = ()) -> T:
    """Read `path`, or one top-level `section` of it, as a `kind`.

    The mapping under the keys `overrides` replaces keys of the section, one by one.
    """
    root = _parse(path)
    if root is None:
        raise BadInput(f"{path}: the file is empty")
    node = _find_child(root, [] if section is None else [section])
    if node is None:
        raise BadInput(f"{path}: no section `{section}`")
    changes = _find_child(root, [*overrides]) if overrides else None
    if isinstance(node, yaml.MappingNode) and isinstance(changes, yaml.MappingNode):
        node = _replace_keys(node, changes)
    scalars = list(_construct_scalars(path, node))
    try:
        record = msgspec.convert(_Loader("").construct_document(node), kind)
    except yaml.MarkedYAMLError as error:
        raise BadInput(_locate_mark(path, error)) from error
    except msgspec.ValidationError as error:
        raise BadInput(_locate_error(path, node, section, str(error))) from error
    for line, value in scalars:
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"{path}:{line}: expected a finite number, got {value}")
    return record


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
        return _parse_content(path, path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error


# A command reads several sections of one file. The key has the content: no edit is overlooked.
@lru_cache(maxsize=4)
def _parse_content(path: Path, content: bytes) -> yaml.Node | None:
    try:
        text = content.decode()
        root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: expected UTF-8: {error.reason}") from error
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        raise BadInput(_locate_mark(path, error)) from error
    for key, problem in _find_bad_keys(root):
        raise BadInput(f"{path}:{key.start_mark.line + 1}: {problem}")
    return root


def _problem(text: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.composer.ComposerError(None, None, text, mark)


def _locate_mark(path: Path, error: yaml.MarkedYAMLError) -> str:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    return f"{path}:{line}: {error.problem}"


def _list_parts(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _construct_scalars(path: Path, node: yaml.Node) -> Iterator[tuple[int, object]]:
    """The line and the value of every scalar. Raises BadInput for what its tag does not allow."""
    if isinstance(node, yaml.ScalarNode) and node.tag != MERGE_TAG:
        line = node.start_mark.line + 1
        try:
            yield line, _Loader("").construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise BadInput(_locate_mark(path, error)) from error
        except (AttributeError, ValueError) as error:  # such as the 45th day of a month
            kind = node.tag.rpartition(":")[2]
            raise BadInput(f"{path}:{line}: expected a value of type {kind}") from error
    for part in _list_parts(node):
        yield from _construct_scalars(path, part)


def _replace_keys(node: yaml.MappingNode, changes: yaml.MappingNode) -> yaml.MappingNode:
    """A mapping of both; every value keeps its place in the file, for error messages."""
    changed = {key.value for key, _ in changes.value}
    kept = [pair for pair in node.value if pair[0].value not in changed]
    return yaml.MappingNode(
        node.tag, [*kept, *changes.value], start_mark=node.start_mark, end_mark=node.end_mark
    )


def _find_bad_keys(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, str]]:
    """Keys that are no plain text, and those that silently replace an earlier one."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                yield key, "expected a text as the key"
            elif key.value in seen:
                yield key, f"{key.value}: this key appears twice"
            else:
                seen.add(key.value)
    for part in _list_parts(node):
        yield from _find_bad_keys(part)


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
    if "got `str`" in message and isinstance(field, yaml.ScalarNode):
        message += _explain_text(field.value)
    name = f"{section}: " if section else ""
    return f"{path}:{field.start_mark.line + 1}: {name}{message}"


def _explain_text(text: str) -> str:
    """YAML 1.1 reads 3e-4 as a text, for want of a point."""
    is_number = re.fullmatch(r"[-+]?\d+e[-+]?\d+", text)
    return f"; write {text.replace('e', '.0e')} in place of {text}" if is_number else ""


def _find_child(node: yaml.Node | None, keys: list[str]) -> yaml.Node | None:
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
        else:
            return None
    return node
