"""OpenAI's Batch API: half the price, answers within a day.

Nothing is noted down here: a batch carries the name of its run, so that a killed run finds its
batches on the server again, collects them and never submits the same questions twice.
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

MAX_REQUESTS_PER_BATCH = 50_000  # in one batch, and
MAX_BYTES_PER_BATCH = (
    190_000_000  # in its file: the service's limits, the second with room for the frame
)
FINAL_STATES = {"completed", "failed", "expired", "cancelled"}
ENDPOINT: Final = "/v1/chat/completions"


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: Json = None

    def reply(self, sent: ChatRequest) -> Reply:
        """Raises ValueError that says what stands here instead of an answer."""
        if self.response is None or self.response.status_code != 200:
            said = bytes(self.response.body).decode() if self.response else str(self.error)
            raise ValueError(f"in a batch: {said[:200]}")
        return msgspec.json.decode(self.response.body, type=Completion).reply(sent, batch=True)


class Batches:
    """The batches of one run, which `run` names."""

    def __init__(self, client: Client, store: AnswerStore, run: str) -> None:
        self.client = client
        self.store = store
        self.run = run

    async def earlier(self, wanted: Mapping[str, ChatRequest]) -> None:
        """Collect what a killed run submitted."""
        for batch in await self.client.call("list batches", self._ours):
            await self._collect(batch, wanted)

    async def answer(self, wanted: Mapping[str, ChatRequest]) -> dict[str, str]:
        """Submit and collect; why each question without an answer has none."""
        shards = list(_shards(wanted.values()))
        batches = [await self._submit(shard) for shard in shards]
        problems = dict.fromkeys(wanted, "no line in the batch's files")
        for shard, batch in zip(shards, batches, strict=True):
            ended, found = await self._collect(batch, wanted)
            if ended.errors and ended.errors.data:
                problems |= dict.fromkeys((s.key for s in shard), str(ended.errors.data[0].message))
            problems |= found
        return {key: problem for key, problem in problems.items() if key not in self.store}

    async def _ours(self) -> list[Batch]:
        listed = self.client.api.batches.list(limit=100)
        return [one async for one in listed if (one.metadata or {}).get("run") == self.run]

    async def _submit(self, shard: Sequence[ChatRequest]) -> Batch:
        """One that a lost answer hid from us is found by its name, not made again."""
        keys = "".join(sent.key for sent in shard)
        name = {
            "run": self.run,
            "shard": hashlib.blake2b(keys.encode(), digest_size=16).hexdigest(),
        }
        lines = b"".join(map(_line, shard))
        api = self.client.api

        async def submit() -> Batch:
            for batch in await self._ours():
                if batch.metadata == name and batch.status not in FINAL_STATES:
                    return batch
            file = await api.files.create(file=("requests.jsonl", lines), purpose="batch")
            return await api.batches.create(
                input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata=name
            )

        return await self.client.call("submit a batch", submit)

    async def _collect(
        self, batch: Batch, wanted: Mapping[str, ChatRequest]
    ) -> tuple[Batch, dict[str, str]]:
        """The batch when it has ended, and why some of its lines hold no answer."""
        progress = Progress(batch.id, len(wanted))
        while batch.status not in FINAL_STATES:
            counts = batch.request_counts
            progress.show(counts.completed if counts else 0, batch.status)
            await asyncio.sleep(self.client.service.poll)
            batch = await self.client.call("look at a batch", partial(self._look, batch.id))
        replies: list[Reply] = []
        problems: dict[str, str] = {}
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            for line in await self.client.call("fetch a batch", partial(self._fetch, file)):
                if sent := wanted.get(line.custom_id):
                    try:
                        replies.append(line.reply(sent))
                    except ValueError as error:
                        problems[sent.key] = str(error)
        await self.store.put(*replies)
        return batch, problems

    async def _look(self, batch: str) -> Batch:
        return await self.client.api.batches.retrieve(batch)

    async def _fetch(self, file: str) -> list[_Line]:
        content = (await self.client.api.files.content(file)).content
        return [self.client.decoded(line, _Line) for line in content.splitlines()]


def _line(sent: ChatRequest) -> bytes:
    body = msgspec.Raw(sent.body)
    frame = {"custom_id": sent.key, "method": "POST", "url": ENDPOINT, "body": body}
    return msgspec.json.encode(frame) + b"\n"


def _shards(asked: Iterable[ChatRequest]) -> Iterator[list[ChatRequest]]:
    shard: list[ChatRequest] = []
    size = 0
    for sent in asked:
        if shard and (
            len(shard) == MAX_REQUESTS_PER_BATCH or size + len(sent.body) > MAX_BYTES_PER_BATCH
        ):
            yield shard
            shard, size = [], 0
        shard.append(sent)
        size += len(sent.body)
    if shard:
        yield shard
