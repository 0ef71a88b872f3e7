"""A trajectory with its trained tokens in colour: `python -m agent_tuning.tokens.inspect_labels`.

Trained tokens are green, the name of a tool is bold, the rest is dim. With NO_COLOR set, trained
tokens are in [brackets]. Control characters are escaped: a text cannot control the terminal.
"""

import io
import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli
from agent_tuning.runtime.visible_text import show_controls
from agent_tuning.tokens.chat_template import ChatTokenizer

DIM, GREEN, BOLD, RESET = "\x1b[2m", "\x1b[32m", "\x1b[1;32m", "\x1b[0m"
Token = tuple[int, bool, bool]  # id, trained, part of a tool's name


def find_trajectory(groups: Path, wanted: str | None) -> tuple[Group, int]:
    """The group of a trajectory and its index in it; the first one if no id is `wanted`."""
    for group in jsonl.read(groups, Group):
        for index, trajectory in enumerate(group.trajectories):
            if wanted in (None, trajectory.id):
                return group, index
    raise BadInput(f"{groups}: no trajectory {wanted!r}")


def label_tokens(group: Group, index: int, chat: ChatTokenizer) -> Iterator[Token]:
    """All tokens of a trajectory, those of the prompt first."""
    yield from ((token, False, False) for token in chat.prefix(group.prompt))
    branch = chat.branch(group.trajectories[index].turns, group.prompt)
    for token, trained, part in zip(*branch, strict=True):
        yield token, trained, part == "name"


def format_tokens(tokens: Iterator[Token], chat: ChatTokenizer, *, colour: bool) -> str:
    parts = []
    for (trained, is_name), run in groupby(tokens, key=lambda token: token[1:]):
        ids = [token_id for token_id, *_ in run]
        text = show_controls(chat.tokenizer.decode(ids, skip_special_tokens=False), kept="\n")
        if colour:
            style = BOLD if is_name else GREEN if trained else DIM
            parts.append(f"{style}{text}{RESET}")
        else:
            parts.append(f"[{text}]" if trained else text)
    return "".join(parts)


def main(groups: Path, base: Path, wanted: Path | None = None) -> None:
    group, index = find_trajectory(groups, str(wanted) if wanted else None)
    chat = ChatTokenizer(base / "tokenizer.json")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may not know every character
        sys.stdout.reconfigure(errors="backslashreplace")
    tokens = label_tokens(group, index, chat)
    text = format_tokens(tokens, chat, colour="NO_COLOR" not in os.environ)
    try:
        print(f"{show_controls(group.trajectories[index].id)}\n{text}", flush=True)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    cli.run(main)
