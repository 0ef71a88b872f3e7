"""A conversation as token ids in ChatML; one call returns the ids and which of them are trained.

The model is trained on exactly the tokens that it has to emit: the text of a decision and its end
token. It is never trained on a prompt, an observation, or the newline after an end token, which it
does not write.
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
# Of a decision. "arguments" is all that follows the name of a tool, up to the next name.
Part = Literal["", "thought", "name", "arguments"]


class TextSpan(NamedTuple):
    """Where a part of a decision starts and stops in its text, in characters."""

    start: int
    stop: int
    part: Part


class Encoded(NamedTuple):
    """Token ids; for each, whether the model is trained to emit it, and its part of a decision."""

    ids: list[int]
    trained: list[bool]
    parts: list[Part]


class ChatTokenizer:
    """ChatML with the tokenizer of a model. Text of a conversation never becomes a special token.

    Raises BadInput if there is no tokenizer file, or it lacks ChatML's special tokens.
    """

    def __init__(self, tokenizer_file: Path) -> None:
        if not tokenizer_file.exists():
            raise BadInput(f"{tokenizer_file}: missing tokenizer; run `dvc repro fetch`")
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.tokenizer.encode_special_tokens = True  # "<|im_end|>" in a query stays text
        self.start = self._find_special_token(START)
        self.end = self._find_special_token(END)

    def prefix(self, system: str) -> list[int]:
        """Token ids of the prompt that every trajectory of a group begins with."""
        return [self.start, *self._encode(f"system\n{system}"), self.end, *self._encode("\n")]

    def branch(self, turns: Sequence[Turn], reply_format: str) -> Encoded:
        """The turns after the prefix, encoded. `reply_format` is "" for plain text."""
        form = REPLY_FORMATS.get(reply_format)
        ids: list[int] = []
        trained: list[bool] = []
        parts: list[Part] = []

        def add(tokens: list[int], train: bool = False, token_parts: Sequence[Part] = ()) -> None:
            ids.extend(tokens)
            trained.extend([train] * len(tokens))
            parts.extend(token_parts or [""] * len(tokens))

        for role, text, spans in _build_messages(turns, form):
            add([self.start, *self._encode(f"{role}\n")])
            tokens, token_parts = self._encode_with_parts(text, spans or ())
            add([*tokens, self.end], spans is not None, [*token_parts, ""])
            add(self._encode("\n"))
        return Encoded(ids, trained, parts)

    def question(self, turns: Sequence[Turn], reply_format: str) -> list[int]:
        """Token ids of the turns up to a decision; the model continues them."""
        ids = self.branch(turns, reply_format).ids
        return [*ids, self.start, *self._encode("assistant\n")]

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _encode_with_parts(
        self, text: str, spans: Sequence[TextSpan]
    ) -> tuple[list[int], list[Part]]:
        """Token ids, and the part of each. A token in two spans has the part of the first one."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        parts: list[Part] = [
            next((span.part for span in spans if start < span.stop and span.start < stop), "")
            for start, stop in encoding.offsets
        ]
        return list(encoding.ids), parts

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _find_special_token(self, token: str) -> int:
        token_id = self.tokenizer.token_to_id(token)
        if token_id is None:
            raise BadInput(f"the tokenizer has no token {token}; choose a model that uses ChatML")
        return int(token_id)


def _build_messages(
    turns: Sequence[Turn], form: ReplyFormat | None
) -> Iterator[tuple[str, str, Sequence[TextSpan] | None]]:
    """ChatML messages: role, text, and the spans of its parts, or None if it is not trained.

    The results of the calls of one turn share a message.
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
