"""Ask a server for decisions with the official client of OpenAI: `messages` and `tools`."""

import os
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import httpx2
import msgspec
import openai

from agent_tuning.records import BadInput, PromptSpec, Turn
from agent_tuning.tokens.openai_messages import build_tools
from benchmark.engines.answer import Answer
from benchmark.engines.served_engine import (
    Function,
    ServedMessage,
    ToolCall,
    write_answer,
    write_messages,
)

TIMEOUT = 600.0  # seconds for one answer


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: Annotated[list[_Model], msgspec.Meta(min_length=1)]


class ServedAnswer(NamedTuple):
    """An answer, and the tokens that the server counted in the prompt; 0 if it does not say."""

    answer: Answer
    prompt_tokens: int


class Server:
    """The first model that a server lists. The key is $OPENAI_API_KEY; your own may need none."""

    def __init__(self, url: str, max_new_tokens: int) -> None:
        key = os.environ.get("OPENAI_API_KEY") or "none"
        self.api = openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=TIMEOUT)
        self.max_new_tokens = max_new_tokens
        self.model = find_model(self.api)

    def ask(
        self, name: str, turns: Sequence[Turn], spec: PromptSpec, *, stream: bool = False
    ) -> ServedAnswer:
        """The greedy decision after these turns. A failure is an answer with an error."""
        request: dict[str, Any] = {
            "model": self.model,
            "messages": write_messages(turns),
            "temperature": 0,
            "max_tokens": self.max_new_tokens,
        }
        if spec.tools:
            request["tools"] = build_tools(spec.tools)
        try:
            if stream:
                chunks = self.api.chat.completions.create(**request, stream=True)
                message, finish, tokens = join_chunks(chunks)
            else:
                completion = self.api.chat.completions.create(**request)
                message, finish, tokens = _read(completion)
        except openai.OpenAIError as error:
            return ServedAnswer(Answer(name, "", error=str(error)), 0)
        return ServedAnswer(
            Answer(name, write_answer(message, spec), cut=finish == "length"), tokens
        )


def find_model(api: openai.OpenAI) -> str:
    """The first model that a server lists. Raises BadInput if it is no server that lists one."""
    place = f"URL={str(api.base_url).rstrip('/')}"
    try:  # as bytes: the client's own list is a bare AttributeError for a page of HTML
        answer = api.get("/models", cast_to=httpx2.Response)
        return msgspec.json.decode(answer.content, type=_Models).data[0].id
    except (openai.OpenAIError, msgspec.DecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(
            f"{place}: no OpenAI-compatible server that lists a model: {reason}"
        ) from error


def _read(completion: Any) -> tuple[ServedMessage, str, int]:
    choice = completion.choices[0]
    calls = [
        ToolCall(Function(call.function.name, call.function.arguments))
        for call in choice.message.tool_calls or ()
    ]
    tokens = completion.usage.prompt_tokens if completion.usage else 0
    return ServedMessage(choice.message.content, calls or None), choice.finish_reason, tokens


def join_chunks(chunks: Iterable[Any]) -> tuple[ServedMessage, str, int]:
    """The whole message of a stream, why it ended, and the tokens of the prompt."""
    content, finish, tokens = "", "", 0
    calls: dict[int, ToolCall] = {}
    for chunk in chunks:
        tokens = chunk.usage.prompt_tokens if chunk.usage else tokens
        for choice in chunk.choices[:1]:
            content += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for part in choice.delta.tool_calls or ():
                call = calls.setdefault(part.index, ToolCall(Function("")))
                if part.function:
                    call.function.name += part.function.name or ""
                    call.function.arguments += part.function.arguments or ""
    return ServedMessage(content, [calls[index] for index in sorted(calls)] or None), finish, tokens
