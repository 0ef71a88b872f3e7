"""OpenAI's Batch API: half the price, replies within a day.

A batch carries the name of its run in its metadata. So a killed run finds its batches on the server
again, collects them, and never submits the same requests twice. No local file is needed.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
from openai.types import Batch

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.client import Client
from agent_tuning.chat_model.messages import ChatRequest, Completion, Reply
from agent_tuning.records import Json
from agent_tuning.runtime.progress import Progress

# The service's limits; the second leaves room for the JSON around each request.
MAX_REQUESTS_PER_BATCH = 50_000
MAX_BYTES_PER_BATCH = 190_000_000
FINAL_STATES = {"completed", "failed", "expired", "cancelled"}
ENDPOINT: Final = "/v1/chat/completions"


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: Json = None

    def to_reply(self, request: ChatRequest) -> Reply:
        """Raises ValueError with the server's text if the line has no reply."""
        if self.response is None or self.response.status_code != 200:
            text = bytes(self.response.body).decode() if self.response else str(self.error)
            raise ValueError(f"in a batch: {text[:200]}")
        completion = msgspec.json.decode(self.response.body, type=Completion)
        return completion.to_reply(request, batch=True)


class Batches:
    """The batches of one run, which `run` names."""

    def __init__(self, client: Client, store: AnswerStore, run: str) -> None:
        self.client = client
        self.store = store
        self.run = run

    async def collect_earlier(self, requests: Mapping[str, ChatRequest]) -> None:
        """Collect the replies to `requests` (by key) in batches that a killed run submitted."""
        for batch in await self.client.call("list batches", self._list_batches):
            await self._collect(batch, requests)

    async def answer(self, requests: Mapping[str, ChatRequest]) -> dict[str, str]:
        """Submit requests, collect the replies, and return the problem of each one without."""
        shards = list(_split_into_shards(requests.values()))
        batches = [await self._submit(shard) for shard in shards]
        problems = dict.fromkeys(requests, "no line in the batch's files")
        for shard, batch in zip(shards, batches, strict=True):
            ended, line_problems = await self._collect(batch, requests)
            if ended.errors and ended.errors.data:
                message = str(ended.errors.data[0].message)
                problems |= dict.fromkeys((request.key for request in shard), message)
            problems |= line_problems
        return {key: problem for key, problem in problems.items() if key not in self.store}

    async def _list_batches(self) -> list[Batch]:
        """The batches of this run on the server."""
        batches = self.client.api.batches.list(limit=100)
        return [batch async for batch in batches if (batch.metadata or {}).get("run") == self.run]

    async def _submit(self, shard: Sequence[ChatRequest]) -> Batch:
        """Submit a shard, unless the server has it already: a lost response may hide a success."""
        keys = "".join(request.key for request in shard)
        metadata = {
            "run": self.run,
            "shard": hashlib.blake2b(keys.encode(), digest_size=16).hexdigest(),
        }
        lines = b"".join(map(_encode_line, shard))
        api = self.client.api

        async def submit() -> Batch:
            for batch in await self._list_batches():
                if batch.metadata == metadata and batch.status not in FINAL_STATES:
                    return batch
            file = await api.files.create(file=("requests.jsonl", lines), purpose="batch")
            return await api.batches.create(
                input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata=metadata
            )

        return await self.client.call("submit a batch", submit)

    async def _collect(
        self, batch: Batch, requests: Mapping[str, ChatRequest]
    ) -> tuple[Batch, dict[str, str]]:
        """Wait for a batch and store its replies; return the batch and the problems by key."""
        progress = Progress(batch.id, len(requests))
        while batch.status not in FINAL_STATES:
            counts = batch.request_counts
            progress.show(counts.completed if counts else 0, batch.status)
            await asyncio.sleep(self.client.service.poll_interval_s)
            batch = await self.client.call("look at a batch", partial(self._retrieve, batch.id))
        replies: list[Reply] = []
        problems: dict[str, str] = {}
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            for line in await self.client.call("fetch a batch", partial(self._fetch, file)):
                if request := requests.get(line.custom_id):
                    try:
                        replies.append(line.to_reply(request))
                    except ValueError as error:
                        problems[request.key] = str(error)
        await self.store.put(*replies)
        return batch, problems

    async def _retrieve(self, batch: str) -> Batch:
        return await self.client.api.batches.retrieve(batch)

    async def _fetch(self, file: str) -> list[_Line]:
        content = (await self.client.api.files.content(file)).content
        return [self.client.decode(line, _Line) for line in content.splitlines()]


def _encode_line(request: ChatRequest) -> bytes:
    body = msgspec.Raw(request.body)
    line = {"custom_id": request.key, "method": "POST", "url": ENDPOINT, "body": body}
    return msgspec.json.encode(line) + b"\n"


def _split_into_shards(requests: Iterable[ChatRequest]) -> Iterator[list[ChatRequest]]:
    shard: list[ChatRequest] = []
    size = 0
    for request in requests:
        if shard and (
            len(shard) == MAX_REQUESTS_PER_BATCH or size + len(request.body) > MAX_BYTES_PER_BATCH
        ):
            yield shard
            shard, size = [], 0
        shard.append(request)
        size += len(request.body)
    if shard:
        yield shard
