"""Every answer that was paid for, one line each, for good: an append-only file with an index.

A kill leaves at most one torn line at the end, which does not count and is cut off before the
next one is written. Memory holds a place in the file for every answer, not the answer.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.chat_model.messages import Reply
from agent_tuning.records import BadInput


class AnswerStore:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, int] = {}
        self._end = self._synced = 0  # bytes of whole lines, and how many a crash would leave
        self._out = -1
        self._syncing: asyncio.Task[None] | None = None
        self._index()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Reply]:
        return (reply for _, reply in self._lines())

    def get(self, key: str) -> Reply | None:
        if key not in self._places:
            return None
        with open(self.path, "rb") as lines:
            lines.seek(self._places[key])
            return msgspec.json.decode(lines.readline(), type=Reply)

    def open(self) -> None:
        """For writing, by one process at a time; a torn line is cut off."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._out = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"{self.path}: another run is writing it") from error
        self._index()  # another run may have written since
        os.ftruncate(self._out, self._end)

    def close(self) -> None:
        """After the loop of the last `put` has ended: no fsync is under way then."""
        try:
            self._check()
            os.fsync(self._out)
        finally:
            os.close(self._out)

    async def put(self, *replies: Reply) -> None:
        """Written when it returns, so that a kill loses nothing; the fsync is under way.

        Nobody waits for the disk: what is paid for is paid for, whether the next question leaves
        before the fsync ends or after it. An error of the disk is raised by the next `put`.
        """
        self._append([reply for reply in replies if reply.key not in self])
        self._check()
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync())

    async def _sync(self) -> None:
        while self._synced < self._end:
            written = self._end
            await asyncio.to_thread(os.fsync, self._out)
            self._synced = written

    def _check(self) -> None:
        if self._syncing and self._syncing.done() and not self._syncing.cancelled():
            self._syncing.result()

    def _append(self, replies: list[Reply]) -> None:
        for reply in replies:
            line = msgspec.json.encode(reply) + b"\n"
            if os.write(self._out, line) != len(line):
                raise OSError(f"{self.path}: the disk is full")
            self._places[reply.key] = self._end
            self._end += len(line)

    def _index(self) -> None:
        self._end = 0
        for end, reply in self._lines():
            self._places.setdefault(reply.key, self._end)
            self._end = end
        self._synced = self._end

    def _lines(self) -> Iterator[tuple[int, Reply]]:
        """Every whole line's end in the file, and its reply."""
        if not self.path.exists():
            return
        end, decode = 0, msgspec.json.Decoder(Reply).decode
        with open(self.path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                try:
                    yield end, decode(line)
                except msgspec.DecodeError as error:
                    raise BadInput(f"{self.path}:{number}: {error}") from error
