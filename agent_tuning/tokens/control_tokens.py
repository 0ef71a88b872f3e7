"""Control tokens apart from their text: "<|im_end|>" in a user's message is no end of a turn.

What comes from outside is marked before a chat template writes it. A marked token is then encoded
as text, and every other one, which the template wrote itself, as the token.
"""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from agent_tuning.files import json_file
from agent_tuning.records import BadInput, Json

OPEN, CLOSE = "\ufdd0", "\ufdd1"  # no characters, as Unicode promises: no text has them
MARKS = re.compile(f"[{OPEN}{CLOSE}]")


class MarkedTokens(NamedTuple):
    """Token ids, and where each starts and stops in the marked text, in characters."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class ControlTokens:
    """The special tokens of a tokenizer, and any other added token that `template` has in it."""

    def __init__(self, tokenizer_file: Path, template: str) -> None:
        self._json = json_file.read(tokenizer_file, dict[str, Json])
        # It would move the offsets of blanks, and adds nothing that a chat template does not write.
        self._json |= {"post_processor": None, "truncation": None, "padding": None}
        self.tokenizer = Tokenizer.from_str(json.dumps(self._json))
        added = self.tokenizer.get_added_tokens_decoder()
        self.ids = {
            token.content: token_id
            for token_id, token in added.items()
            if token.special or (token.content in template and not token.content.isspace())
        }
        longest_first = sorted(self.ids, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._marked = re.compile(f"{OPEN}({self._any.pattern}){CLOSE}")
        self._written = re.compile(f"(?<!{OPEN})(?:{self._any.pattern})(?!{CLOSE})")

    def mark(self, value: Json) -> Json:
        """The value with every control token in its texts and keys marked."""
        if isinstance(value, str):
            return self._any.sub(f"{OPEN}\\g<0>{CLOSE}", MARKS.sub("", value))
        if isinstance(value, dict):
            return {self.mark(key): self.mark(item) for key, item in value.items()}
        return [self.mark(item) for item in value] if isinstance(value, list) else value

    def find_written(self, marked: str, start: int = 0) -> Iterator[re.Match[str]]:
        """The control tokens that the template wrote, from `start` on."""
        return self._written.finditer(marked, start)

    def encode(self, marked: str, start: int = 0) -> MarkedTokens:
        """Encode a text, from `start` on, at once but for its marked tokens: those become text.

        Without a marked token the ids are those that transformers gives for the text. With one they
        are those of `apply_chat_template(..., sanitize_control_tokens=True)`.
        """
        tokens = MarkedTokens([], [])
        position = start
        # Pieces of the template and marked tokens alternate.
        pieces = self._marked.split(marked[start:])
        for written, as_text in zip_longest(pieces[::2], pieces[1::2]):
            self._add(tokens, self.tokenizer, written, position, start)
            position += len(written)
            if as_text is not None:
                before = len(tokens.ids)
                self._add(tokens, self._without_control_tokens, as_text, position + 1, start)
                if self.ids[as_text] in tokens.ids[before:]:
                    raise BadInput(f"the tokenizer cannot write {as_text} as text")
                position += len(as_text) + 2
        return tokens

    def _add(
        self, tokens: MarkedTokens, tokenizer: Tokenizer, piece: str, position: int, start: int
    ) -> None:
        """Add a piece, which begins at `position` of the marked text; its encoding at `start`."""
        # Behind a newline: some tokenizers put a blank before the beginning of a text.
        newline = "\n" if tokens.ids or start else ""
        encoding = tokenizer.encode(newline + piece, add_special_tokens=False)
        ids, offsets = encoding.ids, encoding.offsets
        if newline:
            alone = tokenizer.encode(newline, add_special_tokens=False).ids
            if ids[: len(alone)] == alone:
                ids, offsets = ids[len(alone) :], offsets[len(alone) :]
                position -= 1
            else:
                encoding = tokenizer.encode(piece, add_special_tokens=False)
                ids, offsets = encoding.ids, encoding.offsets
        tokens.ids.extend(ids)
        tokens.offsets.extend((position + start, position + stop) for start, stop in offsets)

    @cached_property
    def _without_control_tokens(self) -> Tokenizer:
        return Tokenizer.from_str(json.dumps({**self._json, "added_tokens": []}))
