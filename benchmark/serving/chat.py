"""A terminal conversation with a tuned model and what is behind its tools: `make chat`.

The tools are those of the catalogue, with simulators behind them, or those of the MCP server that
$MCP names: a URL, or the command line that starts it.

You type, the model calls, the result is printed, it answers. /tools lists the tools, /new begins
anew, Ctrl-D ends. Nothing is kept unless a file is given. What a model or a tool writes cannot
control the terminal: control characters are escaped.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import msgspec
from transformers.utils import logging

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.records import BadInput, Trajectory, Turn
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.runtime.visible_text import show_controls
from benchmark.engines.config import PredictConfig
from benchmark.serving.conversation import (
    Conversation,
    Line,
    McpTools,
    SimulatedTools,
    Toolbox,
)
from benchmark.serving.serve import check_folder

STEPS = 8  # decisions before a reply
PROMPT = "you    > "
COLOURS = {"thought": "2", "call": "36", "result": "33", "reply": "1", "note": "31", "tokens": "2"}


def format_line(line: Line, *, colour: bool) -> str:
    """Escaped, behind its label; the other lines of a text are indented."""
    text = show_controls(line.text, kept="\n").replace("\n", "\n         ")
    text = f"{line.label:<7}> {text}"
    return f"\x1b[{COLOURS[line.label]}m{text}\x1b[0m" if colour else text


def read_messages(*, interactive: bool) -> Iterator[str]:
    """The lines that a person types, or those of a pipe, up to the end of the input."""
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            if interactive:
                yield input(PROMPT)
            elif text := sys.stdin.readline():
                print(PROMPT + show_controls(text.rstrip("\r\n")))
                yield text
            else:
                return
    print()


def append_conversation(file: Path, turns: Sequence[Turn]) -> None:
    """Append a conversation as a trajectory, a line of JSON."""
    if turns:
        digest = hashlib.blake2b(msgspec.json.encode(turns), digest_size=6).hexdigest()
        line = msgspec.json.encode(Trajectory(f"chat.{digest}", tuple(turns), "chat", "en"))
        with file.open("ab") as target:
            target.write(line + b"\n")


def chat(conversation: Conversation, *, show: bool, kept: Path | None) -> None:
    """Talk until the end of the input. What was said is kept, however it ends."""
    try:
        _talk(conversation, show=show, kept=kept)
    finally:
        if kept:
            append_conversation(kept, conversation.turns)


def _talk(conversation: Conversation, *, show: bool, kept: Path | None) -> None:
    colour = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    colour = colour and "NO_COLOR" not in os.environ
    for message in read_messages(interactive=sys.stdin.isatty()):
        text = message.strip()
        if text == "/tools":
            for tool in conversation.toolbox.tools:
                print(show_controls(f"{tool.name}: {tool.description}"))
        elif text == "/new":
            if kept:
                append_conversation(kept, conversation.turns)
            conversation.reset()
        elif text:
            try:
                with contextlib.closing(conversation.say(text)) as lines:
                    for line in lines:
                        if show or line.label != "tokens":
                            print(format_line(line, colour=colour), flush=True)
            except KeyboardInterrupt:
                print(format_line(Line("note", "stopped"), colour=colour))


@contextmanager
def open_tools(catalogue: Path, domains: Sequence[str]) -> Iterator[Toolbox]:
    """Those of the MCP server $MCP; without one, those of these domains, or of the recipe's."""
    if server := os.environ.get("MCP", ""):
        if domains:
            raise BadInput("MCP: an MCP server lists its own tools; expected no DOMAINS beside it")
        from agent_tuning.mcp_tools.client import connect

        with connect(server) as connection:
            yield McpTools(connection)
    else:
        names = domains or config.load("catalogue", CatalogueConfig).domains
        yield SimulatedTools(Catalogue(catalogue, names))


def main(
    model: Path,
    catalogue: Path,
    *domains: Path,
    show: bool = False,
    keep: Path | None = None,
    steps: int = STEPS,
) -> None:
    check_folder(model)
    if keep:
        try:
            keep.open("ab").close()
        except OSError as error:
            raise BadInput(f"KEEP={keep}: {error.strerror}") from error
    predict = config.load("predict", PredictConfig)
    configure_threads(predict.threads)
    logging.disable_progress_bar()
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):  # bytes that are no text end no conversation
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")
    if sys.stdin.isatty() and os.environ.get("TERM") != "dumb":
        import_module("readline")  # input() then has a history and can be edited
    with open_tools(catalogue, [*map(str, domains)]) as toolbox:
        conversation = Conversation(model, toolbox, predict.max_new_tokens, steps)
        count = len(toolbox.tools)
        print(f"{model}: {count} tools; /tools lists them, /new begins anew, Ctrl-D ends")
        chat(conversation, show=show, kept=keep)


if __name__ == "__main__":
    cli.run(main)
