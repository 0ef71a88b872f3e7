"""One section of params.yaml as a typed record."""

from pathlib import Path
from typing import TypeVar

from agent_tuning.files import yaml_records

T = TypeVar("T")


def load(section: str, kind: type[T], path: Path = Path("params.yaml")) -> T:
    """Read one section. Raises BadInput with file, line and field if it is not a `kind`."""
    return yaml_records.read(path, kind, section)
