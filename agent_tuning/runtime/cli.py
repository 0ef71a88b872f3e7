"""A function as a command. Its signature is the usage; bad input is one line and exit status 1."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from agent_tuning.records import BadInput, Unfinished

# sysexits' EX_TEMPFAIL: the work so far is kept; run the same command again to resume.
EXIT_UNFINISHED = 75


def run(main: Callable[..., None]) -> None:
    """Call `main` with the arguments of the command line.

    Positional parameters are paths. A keyword-only parameter is an option: `dry_run: bool` is
    `--dry-run`; `preview: int` takes a number, as in `--preview 3`.
    """
    signature = inspect.signature(main)
    try:
        paths, options = _parse(sys.argv[1:], signature)
        signature.bind(*paths, **options)
    except (TypeError, ValueError) as error:
        sys.exit(f"usage: {sys.argv[0]} {_format_usage(signature)} ({error})")
    try:
        main(*paths, **options)
    except BadInput as error:
        sys.exit(f"error: {error}")
    except Unfinished as error:
        print(f"stopped: {error}", file=sys.stderr)
        sys.exit(EXIT_UNFINISHED)


def _parse(
    arguments: list[str], signature: inspect.Signature
) -> tuple[list[Path], dict[str, bool | int]]:
    """Split into paths and options. Raises ValueError if an option has no number."""
    paths: list[Path] = []
    options: dict[str, bool | int] = {}
    remaining = iter(arguments)
    for argument in remaining:
        name = argument.removeprefix("--").replace("-", "_")
        if not argument.startswith("--"):
            paths.append(Path(argument))
        elif name in signature.parameters and signature.parameters[name].annotation is int:
            options[name] = int(next(remaining, ""))
        else:
            options[name] = True
    return paths, options


def _format_usage(signature: inspect.Signature) -> str:
    words = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            number = " N" * (parameter.annotation is int)
            words.append(f"[--{name.replace('_', '-')}{number}]")
        else:
            words.append(name.upper())
    return " ".join(words)
