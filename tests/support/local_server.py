"""A server of the standard library's kind, running beside a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer


@contextmanager
def running_in_a_thread(server: BaseServer) -> Iterator[None]:
    """It answers inside this block, and its thread and socket are gone after it."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
