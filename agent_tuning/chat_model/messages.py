"""What a chat model is asked and what it answers: the words between teacher, client and store."""

import hashlib
from typing import Literal

import msgspec

from agent_tuning.records import Json, Record

TRUNCATED = {"length", "content_filter"}  # finish reasons of an answer that is not whole
TOKEN_LIMITS = (
    "max_tokens",
    "max_completion_tokens",
)  # the second is what newer OpenAI models take
BYTES_PER_TOKEN = 3.0  # cautious: the least of our requests is 3.5 with SmolLM2's tokenizer


class UnusableReply(Exception):
    """An answer that makes no trajectory: `reason` is counted, `detail` is for people."""

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
    schema: dict[str, Json]  # of the answer


class ChatModel(Record, frozen=True):
    """Which model is asked, and how it samples; all of it decides what an answer is."""

    name: str
    structured: bool  # the server can hold an answer to a JSON Schema
    sampling: dict[str, Json]  # passed on as they stand

    def __post_init__(self) -> None:
        found = [self.sampling[name] for name in TOKEN_LIMITS if name in self.sampling]
        if len(found) != 1 or type(found[0]) is not int or found[0] < 1:
            raise ValueError(f"sampling: expected one of {' and '.join(TOKEN_LIMITS)}, at least 1")

    @property
    def max_tokens(self) -> int:
        return next(int(self.sampling[name]) for name in TOKEN_LIMITS if name in self.sampling)

    def sent(self, ask: Ask) -> "ChatRequest":
        body: dict[str, Json] = {"model": self.name, "messages": ask.messages}
        body |= sorted(self.sampling.items())
        if self.structured:
            form = {"name": "answer", "schema": ask.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        encoded = msgspec.json.encode(body)
        key = hashlib.blake2b(encoded, digest_size=16).hexdigest()
        return ChatRequest(ask.name, self, encoded, key)


class Service(Record, frozen=True):
    """How the server is used. None of it changes what an answer is."""

    base_url: str  # empty: OPENAI_BASE_URL, or OpenAI itself
    concurrency: int
    timeout: float  # seconds until an answer counts as lost
    retries: int
    first_wait: float  # seconds before the first retry; doubled for each further one
    longest_wait: float
    poll: float  # seconds between two looks at a batch


class ChatRequest(Record, frozen=True):
    """A question as the server gets it; `key` hashes the body: all that decides the answer."""

    name: str
    model: ChatModel
    body: bytes
    key: str

    @property
    def prompt_tokens(self) -> int:
        """A cautious estimate: no tokenizer of the model is at hand."""
        return int(len(self.body) / BYTES_PER_TOKEN)


class Reply(Record, frozen=True):
    """One answer that was paid for: a line of the store."""

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
        """The whole answer; raises Unusable if there is none."""
        if self.refusal:
            raise UnusableReply("refusal", self.refusal)
        if self.finish in TRUNCATED:
            raise UnusableReply(self.finish, self.content[-80:])
        return self.content


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None


class _Tokens(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class Completion(msgspec.Struct):
    """What a server sends, as far as we read it."""

    choices: list[_Choice]
    usage: _Tokens | None = None
    model: str = ""

    def __post_init__(self) -> None:
        if not self.choices:
            raise ValueError("no choices")

    def reply(self, sent: ChatRequest, batch: bool = False) -> Reply:
        """Without a usage the upper bound counts: no budget is overdrawn by a silent server."""
        choice = self.choices[0]
        tokens = self.usage or _Tokens(sent.prompt_tokens, sent.model.max_tokens)
        return Reply(
            key=sent.key,
            name=sent.name,
            model=sent.model.name,
            content=choice.message.content or "",
            finish=choice.finish_reason or "",
            prompt_tokens=tokens.prompt_tokens,
            completion_tokens=tokens.completion_tokens,
            refusal=choice.message.refusal or "",
            served=self.model,
            batch=batch,
        )
