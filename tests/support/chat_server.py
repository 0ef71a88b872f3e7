"""An OpenAI-compatible server on loopback that answers from a table, fails on cue and counts.

`python -m tests.support.chat_server TABLE DELAY` runs one in a process of its own and prints its
address.
"""

import asyncio
import hashlib
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

# What happens to the n-th chat request that comes in.
ERRORS = {"429": 429, "500": 500, "503": 503, "400": 400, "quota": 429, "echo": 500, "refused": 401}


def hash_body(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


class ChatServer:
    """`table` maps the hash of a request's body to the answer; others are answered `default`.

    An answer is the text of a message, or the fields of one as JSON, such as its `tool_calls`.

    `faults` maps a chat request's number to what goes wrong with it; `lost` are the lines of the
    first batch that get no answer. Answers to requests of `clipped`, by hash, are never whole.
    """

    def __init__(
        self,
        table: Mapping[str, str | dict],
        *,
        default: str | dict = "nonsense",
        delay: float = 0.0,
        faults: Mapping[int, str] | None = None,
        retry_after: str = "0.05",
        lost: Mapping[int, str] | None = None,
        clipped: Collection[str] = (),
    ) -> None:
        self.table = table
        self.default = default
        self.delay = delay
        self.faults = dict(faults or {})
        self.retry_after = retry_after
        self.lost = dict(lost or {})
        self.clipped = clipped
        self.arrived = 0
        self.running = self.peak = 0
        self.answered: Counter[str] = Counter()  # by key: the whole response left
        self.bodies: list[bytes] = []
        self.authorizations: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.url = ""

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        return server

    @contextmanager
    def running_in_a_thread(self) -> Iterator["ChatServer"]:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(self.serve())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0.01))
            loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?im)^content-length: *(\d+)", head)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                method, path, _ = head.split(" ", 2)
                if not await self._handle(method, path, head, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        writer.close()

    async def _handle(
        self, method: str, path: str, head: str, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """False to drop the connection."""
        authorization = re.search(r"(?im)^authorization: *(.*)\r$", head)
        self.authorizations.add(authorization.group(1) if authorization else "")
        if path == "/v1/chat/completions":
            return await self._chat(head, body, writer)
        route = f"{method} {re.sub('(?<=-)[0-9]+', '*', path.split('?')[0])}"
        number = path.rpartition("-")[2].split("/")[0]
        reply = {
            "POST /v1/files": self._upload,
            "POST /v1/batches": self._create,
            "GET /v1/batches": self._list,
            "GET /v1/batches/batch-*": self._look,
            "GET /v1/files/file-*/content": self._content,
        }[route](number, body)
        await _send(writer, 200, reply)
        return True

    async def _chat(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> bool:
        number, self.arrived = self.arrived, self.arrived + 1
        fault = self.faults.get(number, "")
        self.bodies.append(body)
        self.running += 1
        self.peak = max(self.peak, self.running)
        await asyncio.sleep(30.0 if fault == "slow" else self.delay)
        self.running -= 1
        if fault == "drop":
            return False
        if fault in ERRORS:
            code = "insufficient_quota" if fault == "quota" else None
            message = head if fault in ("echo", "refused") else f"as the test asks: {fault}"
            error = msgspec.json.encode({"error": {"message": message, "code": code}})
            extra = f"Retry-After: {self.retry_after}\r\n" if fault in ("429", "503") else ""
            await _send(writer, ERRORS[fault], error, extra)
            return True
        if fault == "broken":
            await _send(writer, 200, b'{"choices": [{"mess')
            return True
        await _send(writer, 200, self.completion(body, fault))
        self.answered[hash_body(body)] += 1
        return True

    def completion(self, body: bytes, fault: str = "") -> bytes:
        content = (
            "nonsense" if fault == "nonsense" else self.table.get(hash_body(body), self.default)
        )
        message: dict = {"role": "assistant", "content": content}
        if isinstance(content, dict):
            message, content = {"role": "assistant"} | content, ""
        if fault == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I would rather not."}
        fault = "length" if hash_body(body) in self.clipped else fault
        finish = fault if fault in ("length", "content_filter") else "stop"
        usage = {"prompt_tokens": len(body) // 4, "completion_tokens": len(content) // 4 + 1}
        usage |= {"total_tokens": sum(usage.values())}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return msgspec.json.encode(
            {"id": "c", "object": "chat.completion", "created": 1, "model": "served-1",
             "choices": [choice], "usage": usage}
        )  # fmt: skip

    def _upload(self, _: str, body: bytes) -> bytes:
        """The one part of a multipart form that is a file."""
        part = re.search(rb'name="file".*?\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
        assert part
        name = f"file-{len(self.files)}"
        self.files[name] = part.group(1)
        file = {"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "r"}
        return msgspec.json.encode(file | {"purpose": "batch", "status": "processed"})

    def _create(self, _: str, body: bytes) -> bytes:
        request = json.loads(body)
        number = len(self.batches)
        batch = request | {"id": f"batch-{number}", "object": "batch", "created_at": 1}
        self.batches[batch["id"]] = batch | {"status": "in_progress", "looks": 0}
        return self._shown(batch["id"])

    def _list(self, _: str, body: bytes) -> bytes:  # noqa: ARG002
        shown = b",".join(map(self._shown, reversed(self.batches)))
        return b'{"object": "list", "has_more": false, "data": [' + shown + b"]}"

    def _look(self, number: str, _: bytes) -> bytes:
        batch = self.batches[f"batch-{number}"]
        batch["looks"] += 1
        if batch["looks"] == 2:
            self._end(batch)
        return self._shown(batch["id"])

    def _end(self, batch: dict) -> None:
        output, errors = [], []
        for index, encoded in enumerate(self.files[batch["input_file_id"]].splitlines()):
            line = msgspec.json.decode(encoded, type=_Line)
            fault = self.lost.get(index, "") if batch["id"] == "batch-0" else ""
            if fault == "expired":
                batch["status"] = "expired"
                error = {"code": "batch_expired", "message": "too late"}
                errors.append({"custom_id": line.custom_id, "response": None, "error": error})
            elif fault:
                response = {"status_code": 500, "body": {"error": {"message": "broke"}}}
                errors.append({"custom_id": line.custom_id, "response": response, "error": None})
            else:
                self.answered[hash_body(bytes(line.body))] += 1
                body = msgspec.Raw(self.completion(bytes(line.body)))
                response = {"status_code": 200, "body": body}
                output.append({"custom_id": line.custom_id, "response": response, "error": None})
        if batch["status"] == "in_progress":
            batch["status"] = "completed"
        for field, lines in (("output_file_id", output), ("error_file_id", errors)):
            if lines:
                batch[field] = f"file-{len(self.files)}"
                self.files[batch[field]] = b"".join(msgspec.json.encode(x) + b"\n" for x in lines)

    def _shown(self, name: str) -> bytes:
        return msgspec.json.encode(self.batches[name])

    def _content(self, number: str, _: bytes) -> bytes:
        return self.files[f"file-{number}"]


class _Line(msgspec.Struct):
    custom_id: str
    body: msgspec.Raw


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, extra: str = "") -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{extra}"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def main(table: Path, delay: float) -> None:
    server = ChatServer(json.loads(table.read_bytes()), delay=delay)
    async with await server.serve() as running:
        print(server.url, flush=True)
        await running.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
