"""A function as a command. Its signature is the usage; bad input is one line and exit status 1."""

import inspect
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent_tuning.files.atomic_write import FULL_DISK, describe_full_disk
from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime.death_watch import FINISHED
from agent_tuning.runtime.visible_text import show_controls

# sysexits' EX_TEMPFAIL: the work so far is kept; run the same command again to resume.
EXIT_UNFINISHED = 75
LINE_END = "\n"  # of an error that lists several problems
EXIT_INTERRUPTED = 130  # as a shell says of a command that SIGINT ended

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
        with _death_watched():
            main(*arguments.args, **arguments.kwargs)
    except BadInput as error:
        sys.exit(f"error: {show_controls(str(error), kept=LINE_END)}")
    except Unfinished as error:
        print(f"stopped: {show_controls(str(error), kept=LINE_END)}", file=sys.stderr)
        sys.exit(EXIT_UNFINISHED)
    except KeyboardInterrupt:
        print("stopped: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        sys.exit(f"error: {describe_os_error(error)}")


def describe_os_error(error: OSError, disk: Path = Path()) -> str:
    """One line for a path that cannot be used, or for a full disk that no path names.

    Another error that names no path is a bug: raised.
    """
    if error.errno in FULL_DISK:
        return describe_full_disk(Path(error.filename or disk))
    if error.filename is None:
        raise error
    return show_controls(f"{error.filename}: {error.strerror}")


@contextmanager
def _death_watched() -> Iterator[None]:
    """Let a process beside this one say what killed it, should that happen in this context."""
    name = Path(sys.argv[0]).stem
    reading, writing = os.pipe()
    script = str(Path(__file__).with_name("death_watch.py"))
    command = [sys.executable, "-I", "-S", script, str(os.getpid()), str(reading), name]
    # In a session of its own it outlives a kill of the whole process group.
    watcher = subprocess.Popen(
        command, pass_fds=[reading], stdin=subprocess.DEVNULL, start_new_session=True
    )
    os.close(reading)
    try:
        yield
    finally:
        with suppress(BrokenPipeError):  # if the watcher was killed
            os.write(writing, FINISHED)
        os.close(writing)
        watcher.wait()


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
    if kind is not int:
        return Path(text)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{option}: expected a whole number, got {text}") from None


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
