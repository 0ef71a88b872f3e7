"""The body of a request to `/v1/chat/completions`, as far as a server would fail on it.

Fields that stand here alone are checked; OpenAI's others, and those of messages, may be anything.
"""

from typing import Annotated

import msgspec

from agent_tuning.records import Json

Tokens = Annotated[int, msgspec.Meta(ge=1)]


class Part(msgspec.Struct):
    type: str
    text: str = ""


class Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, Json]


class ToolCall(msgspec.Struct):
    function: Function


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class ChatRequest(msgspec.Struct):
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    tools: list[dict[str, Json]] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, msgspec.Meta(gt=-1)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    logit_bias: dict[int, float] | None = None
    generation_config: str | None = None
    chat_template_kwargs: dict[str, Json] = {}


def check(body: dict[str, Json]) -> None:
    """Raise msgspec.ValidationError, which names the field, unless a body can be read."""
    msgspec.convert(body, ChatRequest, str_keys=True)
