"""The wire: one request at a time to an OpenAI-compatible server, with bounded retries.

The key comes from the environment. Every text of the server passes `_public`, which takes the key
out, and no exception of the openai client leaves this file: nothing can print the key by accident.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
import msgspec
import openai

from agent_tuning.chat_model.limiter import Limiter
from agent_tuning.chat_model.messages import ChatRequest, Completion, Reply, Service
from agent_tuning.records import BadInput, Unfinished

T = TypeVar("T")

KEY_VARIABLE = "OPENAI_API_KEY"
RETRYABLE_STATUSES = {408, 409, 429}  # and all of 5xx


class RetriesExhausted(Exception):
    """The retries are used up; the text is the last failure."""


class Client:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.limiter = Limiter(service.concurrency)
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        base_url = service.base_url or os.environ.get("OPENAI_BASE_URL") or None
        if not self._key and base_url is None:
            raise BadInput(
                f"{KEY_VARIABLE} is not set; teacher openai takes its key from the environment"
            )
        if "@" in (base_url or ""):
            raise BadInput(
                f"the base URL holds a user or a password; the key belongs in {KEY_VARIABLE}"
            )
        if not (self._key.isascii() and self._key.isprintable() and " " not in self._key):
            raise BadInput(f"{KEY_VARIABLE} holds characters that no key has")
        # The library keeps 100 connections: with more at once, every request would shake hands.
        most = service.concurrency
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
        self.api = openai.AsyncOpenAI(
            api_key=self._key or "none",  # a server of one's own wants none
            base_url=base_url,
            timeout=service.timeout,
            max_retries=0,  # ours are counted, and wait as the limiter says
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        )

    async def ask(self, sent: ChatRequest) -> Reply:
        """Raises what `call` raises."""

        async def request() -> Reply:
            response = await self.api.post(
                "/chat/completions",
                content=sent.body,
                options={"headers": {"Content-Type": "application/json"}},
                cast_to=httpx2.Response,
            )
            return self.decoded(response.content, Completion).reply(sent)

        return await self.call(sent.name, request)

    async def call(self, name: str, request: Callable[[], Awaitable[T]]) -> T:
        """Unanswered after the last retry; BadInput if the server will never say yes."""
        rng = random.Random(name)
        problem = ""
        for attempt in range(self.service.retries + 1):
            if attempt:
                await asyncio.sleep(self._wait(attempt) * rng.uniform(0.5, 1))
            async with self.limiter as burst:
                try:
                    result = await request()
                    self.limiter.record_success()
                    return result
                except openai.APIStatusError as error:
                    problem = self._public(f"HTTP {error.status_code}: {error.message}")
                    self._refused(name, error, problem, burst)
                except openai.APIError as error:  # no connection, no answer in time, or no sense
                    problem = self._public(f"{error.message} {error.__cause__ or ''}".strip())
                except msgspec.DecodeError as error:
                    problem = f"not a chat completion: {error}"
        raise RetriesExhausted(problem)

    def decoded(self, body: bytes, kind: type[T]) -> T:
        """Raises msgspec.DecodeError."""
        text = self._public(body.decode(errors="replace"))
        return msgspec.json.decode(text, type=kind)

    def _refused(self, name: str, error: openai.APIStatusError, problem: str, burst: int) -> None:
        status, code = error.status_code, error.code
        if code == "insufficient_quota":  # a 429 that no waiting mends
            raise Unfinished(f"{name}: {problem}") from None
        if status < 500 and status not in RETRYABLE_STATUSES:
            raise BadInput(f"{self.api.base_url}: {name}: {problem}") from None
        if status == 429:
            self.limiter.halve(burst)
        self.limiter.pause(read_retry_after(error.response.headers))

    def _wait(self, attempt: int) -> float:
        doubled = self.service.first_wait * 2.0 ** (attempt - 1)
        return min(doubled, self.service.longest_wait)

    def _public(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def read_retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, given as a number or as a date; 0 if it does not."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
