"""Serve pages on 127.0.0.1 until Ctrl-C."""

import contextlib
import signal
import socket
import threading
from types import FrameType

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from agent_tuning.records import BadInput
from benchmark.annotation.web.access import Access


class SilentRequestHandler(WSGIRequestHandler):
    """Logs nothing: a log of requests would hold the token."""

    def log(self, type: str, message: str, *args: object) -> None: ...


def serve(app: Flask, access: Access, port: int) -> None:
    """Print every address, then serve. Raises BadInput if the port is taken."""
    if port and _is_taken(port):
        raise BadInput(f"params.yaml: port: {port} is in use on this machine; choose another")
    server = make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=SilentRequestHandler
    )
    for name, path in access.links.items():
        address = f"http://127.0.0.1:{server.port}{path}"
        print(f"{name}: {address}" if name else f"Open {address} (Ctrl-C ends)", flush=True)

    def stop(_: int, __: FrameType | None) -> None:
        # shutdown() waits for the loop, which runs in this thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
