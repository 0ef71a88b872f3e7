"""Every reply that was paid for: an append-only file of one line each, with an index.

A kill leaves at most one incomplete line at the end. It does not count, and is cut off before the
next line is written. Memory holds the offset of every reply in the file, not the reply.
"""

import asyncio
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.chat_model.messages import Reply
from agent_tuning.files import json_file, jsonl
from agent_tuning.files.atomic_write import explain_full_disk
from agent_tuning.records import BadInput


class AnswerStore:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets: dict[str, int] = {}
        self._end = self._synced = 0  # bytes of complete lines, and how many of them are on disk
        self._out = -1  # file descriptor, after `open`
        self._syncing: asyncio.Task[None] | None = None
        self._build_index()

    def __contains__(self, key: str) -> bool:
        return key in self._offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Reply]:
        return (reply for _, reply in self._read_lines())

    def get(self, key: str) -> Reply | None:
        if key not in self._offsets:
            return None
        with open(self.path, "rb") as lines:
            lines.seek(self._offsets[key])
            return msgspec.json.decode(lines.readline(), type=Reply)

    def open(self) -> None:
        """Open the file for writing, and cut off an incomplete line.

        Raises BadInput if another process has it open.
        """
        with explain_full_disk(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._out = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"{self.path}: another run is writing it") from error
        self._build_index()  # another run may have written to it since
        os.ftruncate(self._out, self._end)

    def close(self) -> None:
        """Call it after the event loop of the last `put` has ended: no fsync runs then."""
        try:
            self._raise_sync_error()
            with explain_full_disk(self.path):
                os.fsync(self._out)
        finally:
            os.close(self._out)

    async def put(self, *replies: Reply) -> None:
        """Write replies, so that a kill loses nothing, and start an fsync.

        It does not wait for the fsync: the replies are paid for either way, so the next request
        may start at once. The next `put` raises an error of the disk.
        """
        self._append([reply for reply in replies if reply.key not in self])
        self._raise_sync_error()
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync())

    async def _sync(self) -> None:
        while self._synced < self._end:
            written = self._end
            await asyncio.to_thread(os.fsync, self._out)
            self._synced = written

    def _raise_sync_error(self) -> None:
        if self._syncing and self._syncing.done() and not self._syncing.cancelled():
            with explain_full_disk(self.path):
                self._syncing.result()

    def _append(self, replies: list[Reply]) -> None:
        for reply in replies:
            line = msgspec.json.encode(reply) + b"\n"
            with explain_full_disk(self.path):
                try:
                    if os.write(self._out, line) != len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                except OSError:
                    os.ftruncate(self._out, self._end)  # the next reply starts a line of its own
                    raise
            self._offsets[reply.key] = self._end
            self._end += len(line)

    def _build_index(self) -> None:
        self._end = 0
        for end, reply in self._read_lines():
            self._offsets.setdefault(reply.key, self._end)
            self._end = end
        self._synced = self._end

    def _read_lines(self) -> Iterator[tuple[int, Reply]]:
        """Every complete line's end in the file, and its reply."""
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
                except json_file.UNREADABLE as error:
                    raise jsonl.locate(self.path, number, line, error) from error
