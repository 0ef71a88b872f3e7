"""A trajectory with its trained tokens in colour: `python -m agent_tuning.tokens.inspect_labels`.

Trained tokens are green, a tool's name in bold, the rest dim; with NO_COLOR set, trained tokens
stand in [brackets]. Control characters are escaped: a text cannot repaint the terminal.
"""

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.prompts import system_prompt
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli
from agent_tuning.tokens.chat_template import ChatTokenizer

DIM, GREEN, BOLD, RESET = "\x1b[2m", "\x1b[32m", "\x1b[1;32m", "\x1b[0m"
Token = tuple[int, bool, bool]  # id, trained, part of a tool's name


def find_trajectory(groups: Path, wanted: str | None) -> tuple[Group, int]:
    """The group that holds a trajectory, and its index there; the first one by default."""
    for group in jsonl.read(groups, Group):
        for index, trajectory in enumerate(group.trajectories):
            if wanted in (None, trajectory.id):
                return group, index
    raise BadInput(f"{groups}: no trajectory {wanted!r}")


def label_tokens(group: Group, index: int, chat: ChatTokenizer) -> Iterator[Token]:
    prompt = chat.prefix(system_prompt.build(group.prompt))
    yield from ((token, False, False) for token in prompt)
    spoken = chat.branch(group.trajectories[index].turns, group.prompt.reply_format)
    for token, trained, part in zip(*spoken, strict=True):
        yield token, trained, part == "name"


def format_tokens(shown: Iterator[Token], chat: ChatTokenizer, *, colour: bool) -> str:
    parts = []
    for (trained, named), run in groupby(shown, key=lambda token: token[1:]):
        text = escape_control_characters(
            chat.tokenizer.decode([t[0] for t in run], skip_special_tokens=False)
        )
        if colour:
            paint = BOLD if named else GREEN if trained else DIM
            parts.append(f"{paint}{text}{RESET}")
        else:
            parts.append(f"[{text}]" if trained else text)
    return "".join(parts)


def escape_control_characters(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def main(groups: Path, base: Path, wanted: Path | None = None) -> None:
    group, index = find_trajectory(groups, str(wanted) if wanted else None)
    chat = ChatTokenizer(base / "tokenizer.json")
    print(group.trajectories[index].id)
    print(
        format_tokens(label_tokens(group, index, chat), chat, colour="NO_COLOR" not in os.environ)
    )


if __name__ == "__main__":
    cli.run(main)
