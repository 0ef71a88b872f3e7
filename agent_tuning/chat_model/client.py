"""Send requests to an OpenAI-compatible server, with bounded retries.

The key comes from the environment. `_redact_key` removes it from every error of the server, and no
exception of the openai client leaves this file. So nothing can print the key by accident. It is
removed from answers too if it is long enough to be a secret: a short one, such as `x` or `test`, is
the key of a server of your own, and answers contain such texts of themselves.
"""

import asyncio
import json
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
MAX_PORT = 65535
MIN_SECRET = 16  # characters; the keys of public servers have 32 or more
RETRYABLE_STATUSES = {408, 409, 429}  # and 500 or more


class RetriesExhausted(Exception):
    """The last retry failed; the text is its failure."""


class Client:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.limiter = Limiter(service.concurrency)
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        base_url = service.base_url or os.environ.get("OPENAI_BASE_URL") or None
        if not self._key and base_url is None:
            raise BadInput(
                f"{KEY_VARIABLE} is not set; set it to the key of the chat model's server"
            )
        check_base_url(base_url)
        if not (self._key.isascii() and self._key.isprintable() and " " not in self._key):
            raise BadInput(
                f"{KEY_VARIABLE} contains a space or a character outside printable ASCII; "
                "check the key"
            )
        # The library keeps 100 connections open: beyond that, every request would open its own.
        count = service.concurrency
        limits = httpx2.Limits(max_connections=count, max_keepalive_connections=count)
        self.api = openai.AsyncOpenAI(
            api_key=self._key or "none",  # your own server may need none
            base_url=base_url,
            timeout=service.timeout,
            max_retries=0,  # `call` retries, and waits as the limiter says
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        )

    async def ask(self, request: ChatRequest) -> Reply:
        """The reply to one request. Raises what `call` raises."""

        async def send() -> Reply:
            response = await self.api.post(
                "/chat/completions",
                content=request.body,
                options={"headers": {"Content-Type": "application/json"}},
                cast_to=httpx2.Response,
            )
            return self.decode(response.content, Completion).to_reply(request)

        return await self.call(request.name, send)

    async def call(self, name: str, send: Callable[[], Awaitable[T]]) -> T:
        """Call `send`, and retry it after failures that may pass.

        Raises RetriesExhausted after the last retry, Unfinished if the quota is used up, and
        BadInput if the server will reject every retry.
        """
        rng = random.Random(name)
        problem = ""
        for attempt in range(self.service.retries + 1):
            if attempt:
                await asyncio.sleep(self._compute_backoff(attempt) * rng.uniform(0.5, 1))
            async with self.limiter as burst:
                try:
                    result = await send()
                    self.limiter.record_success()
                    return result
                except openai.APIStatusError as error:
                    problem = self._redact_key(f"HTTP {error.status_code}: {error.message}")
                    self._handle_status(name, error, problem, burst)
                except openai.APIError as error:  # no connection, a timeout, or not an API response
                    problem = self._redact_key(f"{error.message} {error.__cause__ or ''}".strip())
                except msgspec.DecodeError as error:
                    problem = f"not a chat completion: {error}"
        raise RetriesExhausted(problem)

    def decode(self, body: bytes, kind: type[T]) -> T:
        """Raises msgspec.DecodeError."""
        text = body.decode("utf-8-sig", errors="replace")
        if len(self._key) >= MIN_SECRET:
            text = text.replace(json.dumps(self._key)[1:-1], "[key]")
        try:
            if "\\ud" in text.lower():  # half of a surrogate pair: one letter of a paid answer
                whole = json.dumps(json.loads(text), ensure_ascii=False)
                text = whole.encode(errors="replace").decode()
            return msgspec.json.decode(text, type=kind)
        except (RecursionError, json.JSONDecodeError) as error:
            raise msgspec.DecodeError(f"no JSON that can be read: {error}") from error

    def _handle_status(
        self, name: str, error: openai.APIStatusError, problem: str, burst: int
    ) -> None:
        status, code = error.status_code, error.code
        if code == "insufficient_quota":  # a 429 that no waiting ends
            raise Unfinished(f"{name}: {problem}") from None
        if status < 500 and status not in RETRYABLE_STATUSES:
            raise BadInput(f"{self.api.base_url}: {name}: {problem}") from None
        if status == 429:
            self.limiter.halve(burst)
        wait = read_retry_after(error.response.headers)
        self.limiter.pause(min(wait, self.service.max_backoff_s))

    def _compute_backoff(self, attempt: int) -> float:
        doubled = self.service.initial_backoff_s * 2.0 ** (attempt - 1)
        return min(doubled, self.service.max_backoff_s)

    def _redact_key(self, text: str) -> str:
        """A server's error without the key, as one line."""
        return " ".join((text.replace(self._key, "[key]") if self._key else text).split())


def check_base_url(base_url: str | None) -> None:
    """Raise BadInput for a URL that no request could use, or that holds a password."""
    if base_url is None:
        return
    if "@" in base_url:
        raise BadInput(
            f"the base URL contains a user or a password; remove it and put the key into "
            f"{KEY_VARIABLE}"
        )
    try:
        url = httpx2.URL(base_url)
        valid = url.scheme in ("http", "https") and url.host and (url.port or 1) <= MAX_PORT
    except httpx2.InvalidURL:
        valid = False
    if not valid:
        raise BadInput(
            f"base URL {base_url!r}: expected such as http://localhost:8000/v1; set base_url of "
            "the section's `service` in params.yaml, or OPENAI_BASE_URL"
        )


def read_retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that the server asks to wait, as a number or as a date; 0 if it asks for none.

    The caller bounds them: a server may ask for a day, or for ever.
    """
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (OverflowError, TypeError, ValueError):
        return 0.0
