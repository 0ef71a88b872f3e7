"""One section of params.yaml as a typed record."""

from pathlib import Path
from typing import TypeVar

from trajectory import yamlfile

T = TypeVar("T")


def load(section: str, kind: type[T], path: Path = Path("params.yaml")) -> T:
    return yamlfile.read(path, kind, section)
