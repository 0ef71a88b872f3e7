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

from agent_tuning.records import BadInput, Json

T = TypeVar("T")

CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read(path: Path) -> Json:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        return _NodeReader(path).read(yaml.compose(text, Loader=yaml.CSafeLoader))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected UTF-8, {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{path}:{line}: {error.problem}") from error


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
            line = node.start_mark.line + 1
            raise BadInput(f"{self.path}:{line}: this anchor contains itself")
        if node not in self.values:
            self.open.add(node)
            self.values[node] = self._read_node(node)
            self.open.remove(node)
        return self.values[node]

    def _read_node(self, node: yaml.Node) -> Json:
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node)
        assert isinstance(node, yaml.ScalarNode)  # there are no other kinds
        return node.value if node.style else _read_scalar(node.value)  # a quoted one is a text

    def _read_mapping(self, node: yaml.MappingNode) -> dict[str, Json]:
        own: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key, value in node.value:
            if key.value == "<<":
                parts = self.read(value)
                for part in reversed(parts) if isinstance(parts, list) else [parts]:
                    merged.update(part if isinstance(part, dict) else {})
            else:
                own[str(key.value)] = self.read(value)
        return {**merged, **own}


def _read_scalar(text: str) -> Json:
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text
