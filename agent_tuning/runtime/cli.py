"""A stage as a command: paths in, one clear line and a non-zero exit on bad input."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from agent_tuning.records import BadInput, Unfinished

EXIT_UNFINISHED = 75  # EX_TEMPFAIL: the same command, later, goes on


def run(main: Callable[..., None]) -> None:
    """Call `main` with the command line; its signature is the usage.

    Positional parameters are paths. A keyword-only `dry_run: bool` is the option `--dry-run`, an
    `int` one such as `preview` takes a number: `--preview 3`.
    """
    signature = inspect.signature(main)
    try:
        paths, options = _parsed(sys.argv[1:], signature)
        signature.bind(*paths, **options)
    except (TypeError, ValueError) as error:
        sys.exit(f"usage: {sys.argv[0]} {_usage(signature)} ({error})")
    try:
        main(*paths, **options)
    except BadInput as error:
        sys.exit(f"error: {error}")
    except Unfinished as error:
        print(f"stopped: {error}", file=sys.stderr)
        sys.exit(EXIT_UNFINISHED)


def _parsed(
    arguments: list[str], signature: inspect.Signature
) -> tuple[list[Path], dict[str, bool | int]]:
    """Raises ValueError if an option's number is none."""
    paths: list[Path] = []
    options: dict[str, bool | int] = {}
    waiting = iter(arguments)
    for argument in waiting:
        name = argument.removeprefix("--").replace("-", "_")
        if not argument.startswith("--"):
            paths.append(Path(argument))
        elif name in signature.parameters and signature.parameters[name].annotation is int:
            options[name] = int(next(waiting, ""))
        else:
            options[name] = True
    return paths, options


def _usage(signature: inspect.Signature) -> str:
    words = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            number = " N" * (parameter.annotation is int)
            words.append(f"[--{name.replace('_', '-')}{number}]")
        else:
            words.append(name.upper())
    return " ".join(words)
