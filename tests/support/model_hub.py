"""Model hubs on loopback, over the protocol of huggingface_hub: to upload to, and to load from."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.local_server import running_in_a_thread


class ModelHub:
    """`files` are those of the last commit; weights come as large files, the rest inside it."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.url = ""
        self.repos: dict[str, bool] = {}  # name -> private
        self.large: dict[str, bytes] = {}  # by sha256
        self.files: dict[str, bytes] = {}

    def reply(self, path: str, body: bytes) -> Any:
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.repos[name] = asked.get("visibility") == "private" or bool(asked.get("private"))
            return {"url": f"{self.url}/{name}"}
        if "/tree/" in path:
            return [{"type": "file", "path": name, "size": len(content), "oid": "0"}
                    for name, content in self.files.items()]  # fmt: skip
        if "/preupload/" in path:
            files = [file["path"] for file in json.loads(body)["files"]]
            return {"files": [{"path": file, "shouldIgnore": False, "oid": None,
                               "uploadMode": "lfs" if file.endswith("tensors") else "regular"}
                              for file in files]}  # fmt: skip
        if path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            href = f"{self.url}/large"
            return {"transfer": "basic", "objects": [
                {**one, "actions": {"upload": {"href": f"{href}/{one['oid']}"}}} for one in objects
            ]}  # fmt: skip
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    self.files[value["path"]] = self.large[value["oid"]]
                elif line["key"] == "deletedFile":
                    del self.files[value["path"]]
            return {"commitUrl": f"{self.url}/o/m/commit/1", "commitOid": "1", "success": True}
        return {}

    @contextmanager
    def running(self) -> Iterator["ModelHub"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        with running_in_a_thread(server):
            yield self


def _build_handler(hub: ModelHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, reply: Any) -> None:
            encoded = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def read(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length", 0)))

        def do_POST(self) -> None:
            self.answer_known(self.read())

        def do_GET(self) -> None:
            self.answer_known(b"")

        def answer_known(self, body: bytes) -> None:
            if self.headers.get("authorization") != f"Bearer {hub.token}":
                self.answer(401, {"error": "Invalid credentials"})
            else:
                self.answer(200, hub.reply(self.path, body))

        def do_PUT(self) -> None:
            hub.large[self.path.rpartition("/")[2]] = self.read()
            self.answer(200, {})

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class PublishedModels:
    """A hub from which folders can be loaded, each at one commit: `models` by their names."""

    def __init__(self, models: dict[str, Path], commit: str) -> None:
        self.models = models
        self.commit = commit

    def find(self, path: str) -> bytes | None:
        """The list of a model's files, or one of them; None if it has no such file."""
        for name, folder in self.models.items():
            if path == f"/api/models/{name}/tree/{self.commit}":
                files = sorted(file for file in folder.iterdir() if file.is_file())
                return json.dumps([_describe_file(file) for file in files]).encode()
            start = f"/{name}/resolve/{self.commit}/"
            if path.startswith(start) and (folder / path.removeprefix(start)).is_file():
                return (folder / path.removeprefix(start)).read_bytes()
        return None

    @contextmanager
    def running(self) -> Iterator[str]:
        """The address of the hub, for HF_ENDPOINT."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _build_loader(self))
        with running_in_a_thread(server):
            yield f"http://127.0.0.1:{server.server_address[1]}"


def _describe_file(file: Path) -> dict[str, Any]:
    return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _hash(file)}


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _build_loader(hub: PublishedModels) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.wfile.write(self.answer())

        def answer(self) -> bytes:
            """Send the head of the answer; its body."""
            found = hub.find(urlsplit(self.path).path)
            body = found or b""
            self.send_response(404 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.send_header("etag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("x-repo-commit", hub.commit)
            self.end_headers()
            return body

        def log_message(self, *_: object) -> None:
            pass

    return Handler
