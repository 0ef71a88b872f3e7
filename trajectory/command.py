"""A stage as a command: paths in, one clear line and a non-zero exit on bad input."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from trajectory.records import BadInput


def run(main: Callable[..., None]) -> None:
    """Call `main` with the command line; its signature is the usage."""
    arguments = sys.argv[1:]
    try:
        inspect.signature(main).bind(*arguments)
    except TypeError as error:
        names = " ".join(name.upper() for name in inspect.signature(main).parameters)
        sys.exit(f"usage: {sys.argv[0]} {names} ({error})")
    try:
        main(*map(Path, arguments))
    except BadInput as error:
        sys.exit(f"error: {error}")
