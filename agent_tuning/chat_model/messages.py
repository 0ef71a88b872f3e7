"""Questions to a chat model and its replies: the records that teacher, client and store share."""

import hashlib
import math
from typing import Literal

import msgspec

from agent_tuning.records import Json, Record
from agent_tuning.runtime.ranges import AtLeastOne, Count, Seconds, SecondsAboveZero

TRUNCATED = {"length", "content_filter"}  # finish reasons of an incomplete reply
TOKEN_LIMITS = (
    "max_tokens",
    "max_completion_tokens",
)  # newer OpenAI models take the second
BYTES_PER_TOKEN = 3.0  # cautious: our requests have at least 3.5 with SmolLM2's tokenizer


class UnusableReply(Exception):
    """A reply that gives no result: `reason` is counted, `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Message(Record, frozen=True):
    role: Literal["system", "user", "assistant"]
    content: str


class Ask(Record, frozen=True):
    """One question. `name` says what it is for; the model does not see it."""

    name: str
    messages: tuple[Message, ...]
    schema: dict[str, Json]  # of the reply


class ChatModel(Record, frozen=True):
    """Which model is asked, and how it samples. All of it decides what the reply is."""

    name: str
    structured: bool  # whether the server can hold a reply to a JSON Schema
    sampling: dict[str, Json]  # sent as they are

    def __post_init__(self) -> None:
        limits = [self.sampling[name] for name in TOKEN_LIMITS if name in self.sampling]
        if len(limits) != 1 or type(limits[0]) is not int or limits[0] < 1:
            raise ValueError(f"sampling: expected one of {' and '.join(TOKEN_LIMITS)}, at least 1")

    @property
    def max_tokens(self) -> int:
        return next(int(self.sampling[name]) for name in TOKEN_LIMITS if name in self.sampling)

    def build_request(self, ask: Ask) -> "ChatRequest":
        body: dict[str, Json] = {"model": self.name, "messages": ask.messages}
        body |= sorted(self.sampling.items())
        if self.structured:
            schema = {"name": "answer", "schema": ask.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        encoded = msgspec.json.encode(body)
        key = hashlib.blake2b(encoded, digest_size=16).hexdigest()
        return ChatRequest(ask.name, self, encoded, key)


class Service(Record, frozen=True):
    """How the server is used. None of it changes what a reply is."""

    base_url: str  # empty: OPENAI_BASE_URL, or OpenAI itself
    concurrency: AtLeastOne
    timeout: SecondsAboveZero  # seconds until a request counts as lost
    retries: Count
    initial_backoff_s: Seconds  # seconds before the first retry; doubled for each further one
    max_backoff_s: Seconds
    poll_interval_s: Seconds  # seconds between two looks at a batch


class ChatRequest(Record, frozen=True):
    """A question as the server gets it. `key` hashes the body, which decides the reply."""

    name: str
    model: ChatModel
    body: bytes
    key: str

    @property
    def prompt_tokens(self) -> int:
        """A cautious estimate: the model's tokenizer is not available."""
        return int(len(self.body) / BYTES_PER_TOKEN)


class Reply(Record, frozen=True):
    """One reply that was paid for: a line of the store."""

    key: str
    name: str
    model: str
    content: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    refusal: str = ""
    served: str = ""  # the model that answered, in the server's words
    batch: bool = False

    def text(self) -> str:
        """The complete text. Raises UnusableReply if there is none."""
        if self.refusal:
            raise UnusableReply("refusal", self.refusal)
        if self.finish in TRUNCATED:
            raise UnusableReply(self.finish, self.content[-80:])
        return self.content


class _Part(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: str | list[_Part | str] | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """The content; some servers send it in parts."""
        parts = self.content if isinstance(self.content, list) else [self.content or ""]
        return "".join(part if isinstance(part, str) else part.text for part in parts)


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Tokens(msgspec.Struct):
    """Numbers that a server leaves out or sends as null are unknown; some send 12.0."""

    prompt_tokens: float | None = None
    completion_tokens: float | None = None


class Completion(msgspec.Struct):
    """A server's response, as far as it is read."""

    choices: list[_Choice]
    usage: _Tokens | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError("no choices")

    def to_reply(self, request: ChatRequest, batch: bool = False) -> Reply:
        """Without a usage, the upper bound counts, so that no budget is exceeded."""
        choice = self.choices[0]
        used = self.usage or _Tokens()
        prompt, completion = used.prompt_tokens, used.completion_tokens
        return Reply(
            key=request.key,
            name=request.name,
            model=request.model.name,
            content=choice.message.text,
            finish=choice.finish_reason or "",
            prompt_tokens=_count(prompt, request.prompt_tokens),
            completion_tokens=_count(completion, request.model.max_tokens),
            refusal=choice.message.refusal or "",
            served=self.model or "",
            batch=batch,
        )


def _count(tokens: float | None, bound: int) -> int:
    """The number that a server gives, or the upper bound if it gives none that can be."""
    return bound if tokens is None or not 0 <= tokens < math.inf else int(tokens)
