"""A conversation as token ids: ChatML, ids and loss mask made by the same call.

Trained are exactly the tokens the model has to emit: a decision's text and its end token. Never a
prompt, an observation, or the newline after the end token, which the model does not write.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import NamedTuple

import msgspec
from tokenizers import Tokenizer

from trajectory.formats import REPLY_FORMATS, ReplyFormat
from trajectory.formats.reading import json_text
from trajectory.records import Assistant, BadInput, ToolResult, Turn, User

START, END = "<|im_start|>", "<|im_end|>"
Span = tuple[int, int]  # where something starts and stops in a text, in characters


class Encoded(NamedTuple):
    """Token ids, and for each whether the model is trained to emit it, and is a tool's name."""

    ids: list[int]
    trained: list[bool]
    named: list[bool]


class Chat:
    """ChatML over one tokenizer. Untrusted text never becomes a special token."""

    def __init__(self, tokenizer_file: Path) -> None:
        if not tokenizer_file.exists():
            raise BadInput(f"{tokenizer_file}: no tokenizer here; `dvc repro fetch` makes it")
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.tokenizer.encode_special_tokens = True  # "<|im_end|>" in a query stays text
        self.start = self._special(START)
        self.end = self._special(END)

    def prefix(self, system: str) -> list[int]:
        """The prompt that every trajectory of a group begins with."""
        return [self.start, *self._ids(f"system\n{system}"), self.end, *self._ids("\n")]

    def branch(self, turns: Sequence[Turn], reply_format: str) -> Encoded:
        """The turns after the prefix; the model's own tokens are trained."""
        form = REPLY_FORMATS.get(reply_format)
        ids: list[int] = []
        trained: list[bool] = []
        named: list[bool] = []

        def add(tokens: list[int], train: bool = False, names: Sequence[bool] = ()) -> None:
            ids.extend(tokens)
            trained.extend([train] * len(tokens))
            named.extend(names or [False] * len(tokens))

        for role, text, spans in _messages(turns, form):
            add([self.start, *self._ids(f"{role}\n")])
            tokens, names = self._spoken(text, spans or ())
            add([*tokens, self.end], spans is not None, [*names, False])
            add(self._ids("\n"))
        return Encoded(ids, trained, named)

    def question(self, turns: Sequence[Turn], reply_format: str) -> list[int]:
        """The turns up to a decision, ready for the model to continue."""
        before = self.branch(turns, reply_format).ids
        return [*before, self.start, *self._ids("assistant\n")]

    def text(self, ids: Sequence[int]) -> str:
        """What the model said, without its end token."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _spoken(self, text: str, spans: Sequence[Span]) -> tuple[list[int], list[bool]]:
        """Token ids, and which of them belong to the name of a called tool."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        names = [any(a < end and start < b for a, b in spans) for start, end in encoding.offsets]
        return list(encoding.ids), names

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _special(self, token: str) -> int:
        number = self.tokenizer.token_to_id(token)
        if number is None:
            raise BadInput(f"the tokenizer has no token {token}: it speaks no ChatML")
        return int(number)


def _messages(
    turns: Sequence[Turn], form: ReplyFormat | None
) -> Iterator[tuple[str, str, Sequence[Span] | None]]:
    """ChatML messages: role, text, and where a trained text has the names of called tools.

    The results of one turn's calls share a message.
    """
    for is_result, block in groupby(turns, key=lambda turn: isinstance(turn, ToolResult)):
        if is_result:
            results = [turn for turn in block if isinstance(turn, ToolResult)]
            yield "user", form.observe(results) if form else json_text(results), None
            continue
        for turn in block:
            if isinstance(turn, User):
                yield "user", turn.text, None
            elif isinstance(turn, Assistant):
                text = form.write(turn) if form else turn.text
                names = _names(turn, text, form) if form else ()
                yield "assistant", text, names if turn.trained else None


def _names(turn: Assistant, text: str, form: ReplyFormat) -> list[Span]:
    """Found by writing the turn once more with a mark after every name.

    A search for the name would also find it in a thought, or in an argument.
    """
    # No mark overlaps itself, so none is found that was not put there.
    mark = next(mark for n in count(1) if (mark := "q" + "z" * n) not in text)
    calls = [msgspec.structs.replace(call, name=call.name + mark) for call in turn.calls]
    marked = form.write(msgspec.structs.replace(turn, calls=tuple(calls)))
    if marked.replace(mark, "") != text:  # a name such as `import`, which pythonic has to quote
        return []
    stops = [
        found.start() - number * len(mark) for number, found in enumerate(re.finditer(mark, marked))
    ]
    return [(stop - len(call.name), stop) for call, stop in zip(turn.calls, stops, strict=True)]
