"""Native prompts: a model's own chat template writes them, so what is trained is what is served.

The ids of a prefix and a branch together are those of `apply_chat_template(messages, tools)`, token
for token; the instructions of a prompt are the first message, of the role system. One difference is
by design: a control token in the text of a message, of a tool or of a result stays text. A server
that does not escape it makes it a real token, such as the end of a turn (transformers escapes it
with `sanitize_control_tokens=True`).

What is trained comes from two renderings: a conversation up to a reply, and the same conversation
with it. A template that does not keep what it wrote before cannot be used this way: BadInput names
the message.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.prompts.formats.segments import Part as WrittenPart
from agent_tuning.prompts.formats.segments import Segment
from agent_tuning.records import (
    NATIVE,
    Assistant,
    BadInput,
    Call,
    Json,
    PromptSpec,
    Tool,
    Turn,
    User,
    find_trained,
)
from agent_tuning.tokens.control_tokens import ControlTokens
from agent_tuning.tokens.encoded import Encoded, TextSpan, find_spans, label_tokens
from agent_tuning.tokens.jinja_chat import JinjaChat, read_template
from agent_tuning.tokens.openai_messages import Message, build_messages, build_tools

# Stand for a thought and a name in a rendering that shows where the template writes them.
THOUGHT, NAME = "\ufdd2", "\ufdd3"
PLACEHOLDERS = re.compile(f"([{THOUGHT}{NAME}])")


class Reply(NamedTuple):
    """A conversation that ends in a reply, as marked text.

    The reply is its message number `message`, counted from 1, and goes from `start` to `end_token`;
    with the end-of-turn token it ends at `stop`.
    """

    text: str
    message: int
    start: int
    end_token: int
    stop: int
    spans: list[TextSpan]


class SharedPrompt(NamedTuple):
    """What all conversations under a prompt begin with.

    A template is given `system`, no message or one, before the turns, and `marked_tools`. It then
    writes `text`: up to `stop` it has the tokens `ids`, and its last token is a special one.
    """

    tools: tuple[Tool, ...]
    instructions: str
    system: list[Message]
    marked_tools: Json
    text: str
    stop: int
    ids: list[int]


class NativeTemplate:
    """A chat template with the tokenizer it belongs to.

    `end` is the token that ends a turn of the model, `end_text` its text, and `opening` the text
    that the template puts before a reply.
    """

    def __init__(self, chat: JinjaChat, tokenizer_file: Path) -> None:
        self.source = chat.source
        self._chat = chat
        self._control = ControlTokens(tokenizer_file, chat.source)
        user: list[Message] = [{"role": "user", "content": "0"}]
        self.opening = chat.render(user, None, prompt=True).removeprefix(chat.render(user, None))
        answered: list[Message] = [*user, {"role": "assistant", "content": "1"}]
        text = chat.render(answered, None)
        end = next(self._control.find_written(text, text.rfind("1")), None)
        if end is None:
            raise chat.refuse(answered, "no special token of the tokenizer follows a reply")
        self.end_text = end[0]
        self.end = self._control.ids[end[0]]
        self._last_prompt: SharedPrompt | None = None  # groups of one prompt follow each other

    @classmethod
    def read(cls, tokenizer_file: Path) -> "NativeTemplate":
        """The template of the folder that the tokenizer is in."""
        return cls(read_template(tokenizer_file.parent), tokenizer_file)

    def prefix(self, spec: PromptSpec) -> list[int]:
        """Token ids that all conversations with these tools and instructions begin with."""
        return list(self._share_prompt(spec).ids)

    def branch(self, turns: Sequence[Turn], spec: PromptSpec) -> Encoded:
        """The turns after the prefix. Raises BadInput where the template cannot write them."""
        prompt = self._share_prompt(spec)
        messages = [*prompt.system, *self._mark_turns(turns)]
        # A reply at a time, so that the error names the first message that is refused.
        replies = [
            self._find_reply(messages[: len(prompt.system) + position + 1], prompt.marked_tools)
            for position, _ in find_trained(turns)
        ]
        if replies and replies[-1].message == len(messages):
            text = replies[-1].text
        else:
            text = self._chat.render(messages, prompt.marked_tools)
        for reply in replies:
            if not text.startswith(reply.text[: reply.stop]):
                before = messages[: reply.message]
                raise self._chat.refuse(before, "written another way when more follows")
        return self._encode(text, messages, prompt, replies)

    def question(self, turns: Sequence[Turn], spec: PromptSpec) -> list[int]:
        """Token ids of the turns up to a decision, after the prefix."""
        prompt = self._share_prompt(spec)
        messages = [*prompt.system, *self._mark_turns(turns)]
        text = self._chat.render(messages, prompt.marked_tools, prompt=True)
        return self._encode(text, messages, prompt, []).ids

    def writes_native(self) -> bool:
        """True if calls have the markup that the reply format `native` reads."""
        turn = Assistant("call", "Look.", (Call("f", {"a": 1}), Call("g")))
        try:
            reply = self._find_reply(self._mark_turns([User("0"), turn]), None)
        except BadInput:
            return False
        return reply.text[reply.start : reply.end_token] == REPLY_FORMATS[NATIVE].write(turn)

    def _mark_turns(self, turns: Sequence[Turn], instructions: str = "") -> list[Message]:
        return [self._control.mark(message) for message in build_messages(turns, instructions)]

    def _share_prompt(self, spec: PromptSpec) -> SharedPrompt:
        """What two conversations share, up to their last special token: text may join text."""
        last = self._last_prompt
        if last is None or (last.tools, last.instructions) != (spec.tools, spec.instructions):
            system = self._mark_turns((), spec.instructions)
            marked = self._control.mark(build_tools(spec.tools))
            pair = [
                self._chat.render([*system, {"role": "user", "content": text}], marked)
                for text in "01"
            ]
            characters = enumerate(zip(*pair, strict=False))
            differ = next(position for position, (one, other) in characters if one != other)
            tokens = list(self._control.find_written(pair[0][:differ]))
            if not tokens:
                raise BadInput(f"{self._chat.label}: no special token before a user's message")
            # An empty prompt could not be shared: the only token then belongs to it.
            stop = tokens[-1].start() or tokens[-1].end()
            ids = self._control.encode(pair[0][:stop]).ids
            after = self._control.encode(pair[0], stop).ids
            if self._control.encode(pair[0]).ids != [*ids, *after]:
                raise BadInput(f"{self._chat.label}: a user's message changes the tokens before it")
            text = pair[0][: tokens[-1].end()]
            last = SharedPrompt(spec.tools, spec.instructions, system, marked, text, stop, ids)
            self._last_prompt = last
        return last

    def _find_reply(self, messages: Sequence[Message], tools: Json) -> Reply:
        """The last message, which is a reply."""
        *context, message = messages
        before = self._chat.render(context, tools, prompt=True)
        text, end_token = self._render_reply(before, messages, tools)
        shown, shown_end = text, end_token
        if "tool_calls" in message:
            shown, shown_end = self._render_reply(before, [*context, _show_parts(message)], tools)
        template = shown[len(before) : shown_end]
        if template.count(NAME) < len(message.get("tool_calls", ())):
            raise self._chat.refuse(messages, "its calls are not all written")
        segments = _fill_placeholders(template, message)
        # A template may change a text that it writes, such as quote it: then no part is known.
        is_known = "".join(segment.text for segment in segments) == text[len(before) : end_token]
        spans = find_spans(segments, len(before)) if is_known else []
        stop = end_token + len(self.end_text)
        return Reply(text, len(messages), len(before), end_token, stop, spans)

    def _render_reply(
        self, before: str, messages: Sequence[Message], tools: Json
    ) -> tuple[str, int]:
        """A conversation that ends in a reply, and where the reply's end-of-turn token is."""
        text = self._chat.render(messages, tools)
        if not text.startswith(before):
            raise self._chat.refuse(messages, "changes what was written before it")
        for token in self._control.find_written(text, len(before)):
            if token[0] == self.end_text:
                return text, token.start()
        raise self._chat.refuse(messages, f"not followed by {self.end_text}")

    def _encode(
        self, text: str, messages: Sequence[Message], prompt: SharedPrompt, replies: Sequence[Reply]
    ) -> Encoded:
        """The tokens after the prompt, and which of them belong to the replies."""
        if not text.startswith(prompt.text):
            problem = "the conversation does not begin as others under this prompt do"
            raise self._chat.refuse(messages, problem)
        ids, offsets = self._control.encode(text, prompt.stop)
        trained = [False] * len(ids)
        for reply in replies:
            if not self._continues(reply, ids, offsets):
                problem = "changes the tokens of the text before it"
                raise self._chat.refuse(messages[: reply.message], problem)
            for number, (start, stop) in enumerate(offsets):
                trained[number] |= reply.start <= start and stop <= reply.stop
        spans = [span for reply in replies for span in reply.spans]
        return Encoded(ids, trained, label_tokens(offsets, spans))

    def _continues(
        self, reply: Reply, ids: Sequence[int], offsets: Sequence[tuple[int, int]]
    ) -> bool:
        """True if the tokens before a reply are those that the model is asked with.

        A tokenizer may join the end of the prompt with the beginning of a reply.
        """
        tokens = list(self._control.find_written(reply.text[: reply.start]))
        begin = tokens[-1].start() if tokens else 0
        asked = self._control.encode(reply.text[begin : reply.start]).ids
        trained = [
            token_id
            for token_id, (start, _) in zip(ids, offsets, strict=True)
            if begin <= start < reply.start
        ]
        return asked == trained


def _show_parts(message: Message) -> Message:
    """A reply that calls, with placeholders for its thought and the names of its tools."""
    calls = [
        {**call, "function": {**call["function"], "name": NAME}} for call in message["tool_calls"]
    ]
    return {**message, "content": message["content"] and THOUGHT, "tool_calls": calls}


def _fill_placeholders(template: str, message: Message) -> list[Segment]:
    """The text of a reply in segments, each with its part of the decision."""
    names = [call["function"]["name"] for call in message.get("tool_calls", ())]
    fillings: dict[str, tuple[list[str], WrittenPart]] = {
        THOUGHT: ([message["content"]], "thought"),
        NAME: (names, "name"),
    }
    segments = []
    for piece in PLACEHOLDERS.split(template):
        texts, part = fillings.get(piece, ([piece], ""))
        segments.append(Segment(texts.pop(0) if texts else "", part))
    return segments
