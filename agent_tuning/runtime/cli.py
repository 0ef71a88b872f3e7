"""A function as a command. Its signature is the usage; bad input is one line and exit status 1."""

import inspect
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from agent_tuning.records import BadInput, Unfinished

# sysexits' EX_TEMPFAIL: the work so far is kept; run the same command again to resume.
EXIT_UNFINISHED = 75

Value = Path | bool | int


def run(main: Callable[..., None]) -> None:
    """Call `main` with the arguments of the command line.

    Every parameter is an option of its name: `packs: Path` is `--packs FILE`, `dry_run: bool` is
    `--dry-run`, and `preview: int` is `--preview 3`. Parameters that are not keyword-only are paths
    and may also be given by position.
    """
    signature = inspect.signature(main)
    try:
        paths, options = _parse(sys.argv[1:], signature)
        arguments = _bind(signature, paths, options)
    except (TypeError, ValueError) as error:
        sys.exit(f"usage: {sys.argv[0]} {_format_usage(signature)} ({error})")
    try:
        main(*arguments.args, **arguments.kwargs)
    except BadInput as error:
        sys.exit(f"error: {error}")
    except Unfinished as error:
        print(f"stopped: {error}", file=sys.stderr)
        sys.exit(EXIT_UNFINISHED)


def _parse(
    arguments: list[str], signature: inspect.Signature
) -> tuple[list[Path], dict[str, Value]]:
    """Split into paths by position and options by name. Raises ValueError on a wrong option."""
    paths: list[Path] = []
    options: dict[str, Value] = {}
    remaining = iter(arguments)
    for argument in remaining:
        if not argument.startswith("--"):
            paths.append(Path(argument))
            continue
        name = argument.removeprefix("--").replace("-", "_")
        if name not in signature.parameters:
            raise ValueError(f"unknown option {argument}")
        if name in options:
            raise ValueError(f"{argument} is given twice")
        options[name] = _read_value(argument, signature.parameters[name].annotation, remaining)
    return paths, options


def _bind(
    signature: inspect.Signature, paths: list[Path], options: dict[str, Value]
) -> inspect.BoundArguments:
    """Give the paths to the parameters that no option names, in order.

    Raises TypeError if a parameter has no value or a path has no parameter.
    """
    arguments: dict[str, object] = {}
    remaining = list(paths)
    for name, parameter in signature.parameters.items():
        if name in options:
            arguments[name] = options[name]
        elif parameter.kind is parameter.VAR_POSITIONAL:
            arguments[name], remaining = tuple(remaining), []
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and remaining:
            arguments[name] = remaining.pop(0)
        elif parameter.default is parameter.empty:
            raise TypeError(f"missing --{name.replace('_', '-')}")
    if remaining:
        raise TypeError(f"too many paths: {remaining[0]}")
    return inspect.BoundArguments(signature, OrderedDict(arguments))


def _read_value(option: str, kind: object, remaining: Iterator[str]) -> Value:
    if kind is bool:
        return True
    text = next(remaining, "--")
    if text.startswith("--"):
        raise ValueError(f"{option} needs a value")
    return int(text) if kind is int else Path(text)


def _format_usage(signature: inspect.Signature) -> str:
    words = []
    for name, parameter in signature.parameters.items():
        option = f"--{name.replace('_', '-')}"
        if parameter.kind is parameter.VAR_POSITIONAL:
            words.append(f"[{name.upper()} ...]")
        elif parameter.annotation is bool:
            words.append(f"[{option}]")
        else:
            value = "N" if parameter.annotation is int else "PATH"
            required = parameter.default is parameter.empty
            words.append(f"{option} {value}" if required else f"[{option} {value}]")
    return " ".join(words)
