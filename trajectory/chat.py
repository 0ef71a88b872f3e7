"""A conversation as token ids: ChatML, ids and loss mask made by the same call.

Trained are exactly the tokens the model has to emit: a decision's text and its end token. Never a
prompt, an observation, or the newline after the end token, which the model does not write.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from trajectory.formats import REPLY_FORMATS, ReplyFormat
from trajectory.formats.reading import json_text
from trajectory.records import Assistant, BadInput, Call, ToolResult, Turn, User

START, END = "<|im_start|>", "<|im_end|>"


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

        for role, text, calls in _messages(turns, form):
            add([self.start, *self._ids(f"{role}\n")])
            tokens, names = self._spoken(text, calls or ())
            add([*tokens, self.end], calls is not None, [*names, False])
            add(self._ids("\n"))
        return Encoded(ids, trained, named)

    def question(self, turns: Sequence[Turn], reply_format: str) -> list[int]:
        """The turns up to a decision, ready for the model to continue."""
        before = self.branch(turns, reply_format).ids
        return [*before, self.start, *self._ids("assistant\n")]

    def text(self, ids: Sequence[int]) -> str:
        """What the model said, without its end token."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _spoken(self, text: str, calls: Sequence[Call]) -> tuple[list[int], list[bool]]:
        """Token ids, and which of them belong to the name of a called tool."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        spans, stop = [], len(text)
        for call in reversed(calls):  # from the right: the thought may hold the word too
            start = text.rfind(call.name, 0, stop)
            spans.append((start, start + len(call.name)))
            stop = start
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
) -> Iterator[tuple[str, str, tuple[Call, ...] | None]]:
    """ChatML messages: role, text, and the calls if it is the model that is trained on it.

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
                yield "assistant", text, turn.calls if turn.trained else None
