"""Serve pages on 127.0.0.1 until Ctrl-C."""

import contextlib
import signal
import threading
from types import FrameType

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server


class SilentRequestHandler(WSGIRequestHandler):
    """Logs nothing: a log of requests would hold the token."""

    def log(self, type: str, message: str, *args: object) -> None: ...


def serve(app: Flask, token: str, port: int) -> None:
    server = make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=SilentRequestHandler
    )
    print(f"Open http://127.0.0.1:{server.port}/{token}/ (Ctrl-C ends)", flush=True)

    def stop(_: int, __: FrameType | None) -> None:
        # shutdown() waits for the loop, which runs in this thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()
