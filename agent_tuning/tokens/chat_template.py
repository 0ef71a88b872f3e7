"""A conversation as token ids: ChatML, ids and loss mask made by the same call.

Trained are exactly the tokens the model has to emit: a decision's text and its end token. Never a
prompt, an observation, or the newline after the end token, which the model does not write.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from tokenizers import Tokenizer

from agent_tuning.prompts.formats import REPLY_FORMATS, ReplyFormat
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.formats.segments import Segment
from agent_tuning.records import Assistant, BadInput, ToolResult, Turn, User

START, END = "<|im_start|>", "<|im_end|>"
Part = Literal["", "thought", "name", "arguments"]  # of a decision; arguments: after a name


class TextSpan(NamedTuple):
    """Where a part starts and stops in a text, in characters."""

    start: int
    stop: int
    part: Part


class Encoded(NamedTuple):
    """Token ids, and for each whether the model is trained to emit it, and of which part it is."""

    ids: list[int]
    trained: list[bool]
    parts: list[Part]


class ChatTokenizer:
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
        parts: list[Part] = []

        def add(tokens: list[int], train: bool = False, of: Sequence[Part] = ()) -> None:
            ids.extend(tokens)
            trained.extend([train] * len(tokens))
            parts.extend(of or [""] * len(tokens))

        for role, text, spans in _messages(turns, form):
            add([self.start, *self._ids(f"{role}\n")])
            tokens, of = self._spoken(text, spans or ())
            add([*tokens, self.end], spans is not None, [*of, ""])
            add(self._ids("\n"))
        return Encoded(ids, trained, parts)

    def question(self, turns: Sequence[Turn], reply_format: str) -> list[int]:
        """The turns up to a decision, ready for the model to continue."""
        before = self.branch(turns, reply_format).ids
        return [*before, self.start, *self._ids("assistant\n")]

    def text(self, ids: Sequence[int]) -> str:
        """What the model said, without its end token."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _spoken(self, text: str, spans: Sequence[TextSpan]) -> tuple[list[int], list[Part]]:
        """Token ids, and the part of each; one that reaches into two is of the first listed."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        parts: list[Part] = [
            next((span.part for span in spans if a < span.stop and span.start < b), "")
            for a, b in encoding.offsets
        ]
        return list(encoding.ids), parts

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _special(self, token: str) -> int:
        number = self.tokenizer.token_to_id(token)
        if number is None:
            raise BadInput(f"the tokenizer has no token {token}: it speaks no ChatML")
        return int(number)


def _messages(
    turns: Sequence[Turn], form: ReplyFormat | None
) -> Iterator[tuple[str, str, Sequence[TextSpan] | None]]:
    """ChatML messages: role, text, and where a trained text has its parts.

    The results of one turn's calls share a message.
    """
    for is_result, block in groupby(turns, key=lambda turn: isinstance(turn, ToolResult)):
        if is_result:
            results = [turn for turn in block if isinstance(turn, ToolResult)]
            yield "user", form.write_observations(results) if form else format_json(results), None
            continue
        for turn in block:
            if isinstance(turn, User):
                yield "user", turn.text, None
            elif isinstance(turn, Assistant):
                segments = form.segments(turn) if form else [Segment(turn.text)]
                text = "".join(segment.text for segment in segments)
                yield "assistant", text, _find_spans(segments) if turn.trained else None


def _find_spans(segments: Sequence[Segment]) -> list[TextSpan]:
    """Names, then thoughts, then arguments: all that follows a name, up to the next one."""
    names: list[TextSpan] = []
    thoughts: list[TextSpan] = []
    position = 0
    for text, part in segments:
        start, position = position, position + len(text)
        if part == "name":
            names.append(TextSpan(start, position, part))
        elif part == "thought":
            thoughts.append(TextSpan(start, position, part))
    next_starts = [*(name.start for name in names[1:]), position]
    arguments = [
        TextSpan(name.stop, start, "arguments")
        for name, start in zip(names, next_starts, strict=False)
    ]
    return [*names, *thoughts, *arguments]
