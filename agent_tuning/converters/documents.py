"""Other people's JSON and YAML files as plain JSON values.

YAML is read by its core schema, as OpenAPI asks: `on` is a text, `12:30` is no number and
`2025-01-01` is no date. Anchors are shared, not copied, so a small file cannot become a huge value.
"""

import json
import re
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from agent_tuning.files import strict_json
from agent_tuning.records import BadInput, Json

T = TypeVar("T")

MAX_BYTES = 200 * 2**20  # of a document, which is read as a whole
STANDARD = "tag:yaml.org,2002:"
TEXT = STANDARD + "str"
CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read(path: Path) -> Json:
    """The value of a file. Raises BadInput with file, line or field if a record cannot hold it."""
    text = _read_text(path)
    try:
        if path.suffix == ".json":
            return strict_json.decode(text)
        value = _NodeReader(path).read(yaml.compose(text, Loader=yaml.CSafeLoader))
        strict_json.check(value)
        return value
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{path}:{line}: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise BadInput(f"{path}:{line}: {error.reason}") from error
    except RecursionError:
        deep = f"lists and objects are more than {strict_json.MAX_DEPTH} deep"
        raise BadInput(f"{path}: {deep}") from None
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from error


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            most = f"expected at most {MAX_BYTES >> 20} MiB"
            raise BadInput(f"{path}: {most}; write rows as JSON Lines, and tools in several files")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: expected UTF-8: {error.reason}") from error


def convert_part(value: Json, kind: type[T], path: Path, place: str) -> T:
    """A part of a document as a record; fields that the record does not have are left out."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {place or 'top level'}: {error}") from error


class _NodeReader:
    """The value of every node, built once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[yaml.Node, Json] = {}
        self.open: set[yaml.Node] = set()

    def read(self, node: yaml.Node | None) -> Json:
        if node is None:
            return None
        if node in self.open:
            raise self._error(node, "this anchor contains itself")
        if node not in self.values:
            self.open.add(node)
            self.values[node] = self._read_node(node)
            self.open.remove(node)
        return self.values[node]

    def _read_node(self, node: yaml.Node) -> Json:
        if not node.tag.startswith(STANDARD):
            raise self._error(node, f"the tag {node.tag} has no meaning here: write out its value")
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node)
        assert isinstance(node, yaml.ScalarNode)  # there are no other kinds
        return node.value if node.style else _read_scalar(node.value, node.tag)

    def _read_mapping(self, node: yaml.MappingNode) -> dict[str, Json]:
        own: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "expected a text as key")
            if key.value == "<<":
                parts = self.read(value)
                for part in reversed(parts) if isinstance(parts, list) else [parts]:
                    merged.update(part if isinstance(part, dict) else {})
            elif key.value in own:
                raise self._error(key, f"{key.value}: this key appears twice")
            else:
                own[str(key.value)] = self.read(value)
        return {**merged, **own}

    def _error(self, node: yaml.Node, problem: str) -> BadInput:
        return BadInput(f"{self.path}:{node.start_mark.line + 1}: {problem}")


def _read_scalar(text: str, tag: str) -> Json:
    """The value of a scalar without quotes; `tag` is its own, or the one that PyYAML gives it."""
    value = _read_plain(text)
    if tag == TEXT and not isinstance(value, str):
        given = yaml.resolver.Resolver().resolve(  # type: ignore[no-untyped-call]
            yaml.ScalarNode, text, (True, False)
        )
        return value if given == TEXT else text  # `!!str 1.10`
    return value


def _read_plain(text: str) -> Json:
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text) if len(text) <= strict_json.MAX_DIGITS else strict_json.MAX_INTEGER
    return float(text) if NUMBER.fullmatch(text) else text
