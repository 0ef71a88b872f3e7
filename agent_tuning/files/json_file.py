"""A whole JSON file as a typed value, such as the config of a model."""

from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.records import BadInput

T = TypeVar("T")

# What msgspec raises for a wrong type and for no JSON, no UTF-8, and nesting without end.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read(path: Path, kind: type[T]) -> T:
    """Read the file as a `kind`. Raises BadInput with the file, and the field that is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {error}") from error
    except UNREADABLE as error:
        raise BadInput(f"{path}: expected JSON: {error}") from error
