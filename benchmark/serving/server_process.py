"""A server as a process of its own, on a free port."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_tuning.records import BadInput
from benchmark.serving.serve import LOOPBACK, bind

PATIENCE = 600.0  # seconds until it has loaded the model


@contextmanager
def running(folder: Path, engine: str = "transformers") -> Iterator[str]:
    """`make serve` of a folder; yields the URL for clients. What it logs is discarded."""
    with bind(LOOPBACK[0], 0) as free:
        port = free.getsockname()[1]
    options = [str(folder), "--port", str(port), "--engine", engine]
    command = [sys.executable, "-m", "benchmark.serving.serve", *options]
    url = f"http://{LOOPBACK[0]}:{port}/v1"
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ}, text=True
    ) as server:
        try:
            _wait(server, f"{url}/models")
            yield url
        finally:
            server.terminate()
            server.communicate()


def _wait(server: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            assert server.stderr is not None
            lines = server.stderr.read().splitlines() or [f"exit status {server.returncode}"]
            raise BadInput(f"the server ended: {lines[-1]}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise BadInput(f"the server did not answer in {PATIENCE:g} seconds")
