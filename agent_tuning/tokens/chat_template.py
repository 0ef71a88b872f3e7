"""A conversation as token ids; one call returns the ids and which of them are trained.

The model is trained on exactly the tokens that it has to emit: the text of a decision and its end
token. It is never trained on a prompt, an observation, or the newline after an end token, which it
does not write.

Prompts are in ChatML, written here, but for native ones: those the model's own chat template
writes. A caller hands over the spec of the prompt and does not see the difference.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path

from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import REPLY_FORMATS, ReplyFormat
from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.prompts.formats.segments import Segment
from agent_tuning.records import Assistant, BadInput, PromptSpec, ToolResult, Turn, User
from agent_tuning.tokens.encoded import Encoded, Part, TextSpan, find_spans, label_tokens
from agent_tuning.tokens.native_template import NativeTemplate
from agent_tuning.tokens.tokenizer_file import read_tokenizer

START, END = "<|im_start|>", "<|im_end|>"


class ChatTokenizer:
    """The tokenizer of a model. Text of a conversation never becomes a special token.

    Raises BadInput if there is no tokenizer file, or if it lacks ChatML's special tokens and the
    chat template beside it knows no tools.
    """

    def __init__(self, tokenizer_file: Path) -> None:
        self.tokenizer = read_tokenizer(tokenizer_file)
        self.tokenizer.encode_special_tokens = True  # "<|im_end|>" in a query stays text
        self._file = tokenizer_file
        end = self.tokenizer.token_to_id(END)
        self.end: int = self.native.end if end is None else end

    @cached_property
    def start(self) -> int:
        """The token that a message of ChatML begins with."""
        token_id = self.tokenizer.token_to_id(START)
        if token_id is None:
            raise BadInput(
                f"the tokenizer has no token {START}; choose a model that uses ChatML, "
                "or native prompts alone"
            )
        return int(token_id)

    @cached_property
    def native(self) -> NativeTemplate:
        """The chat template that writes native prompts; read when it is first needed.

        Raises BadInput if its calls have another markup than the one that answers are read in.
        """
        native = NativeTemplate.read(self._file)
        if not native.writes_native():
            raise BadInput(
                f"{self._file.parent}: the chat template writes calls in a markup that answers are "
                "not read in; expected <tool_call>, as Qwen2.5 writes it"
            )
        return native

    def prefix(self, spec: PromptSpec) -> list[int]:
        """Token ids of the prompt that every trajectory of a group begins with."""
        if spec.native:
            return self.native.prefix(spec)
        system = system_prompt.build(spec)
        return [self.start, *self._encode(f"system\n{system}"), self.end, *self._encode("\n")]

    def branch(self, turns: Sequence[Turn], spec: PromptSpec) -> Encoded:
        """The turns after the prefix, encoded."""
        if spec.native:
            return self.native.branch(turns, spec)
        form = REPLY_FORMATS.get(spec.reply_format)  # none: plain text
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

    def question(self, turns: Sequence[Turn], spec: PromptSpec) -> list[int]:
        """Token ids of the turns up to a decision; the model continues them."""
        if spec.native:
            return self.native.question(turns, spec)
        ids = self.branch(turns, spec).ids
        return [*ids, self.start, *self._encode("assistant\n")]

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def _encode_with_parts(
        self, text: str, spans: Sequence[TextSpan]
    ) -> tuple[list[int], list[Part]]:
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return list(encoding.ids), label_tokens(encoding.offsets, spans)

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)


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
                yield "assistant", text, find_spans(segments) if turn.trained else None
