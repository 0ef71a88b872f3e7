"""A server as a process of its own, on a free port."""

import ctypes
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from agent_tuning.records import BadInput
from benchmark.serving.serve import LOOPBACK, bind

PATIENCE = 600.0  # seconds until it has loaded the model
LIBC = ctypes.CDLL(None)  # loaded here, not between a fork and its exec
PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>: the signal that a process gets when its parent dies


@contextmanager
def running(folder: Path, engine: str = "transformers") -> Iterator[str]:
    """`make serve` of a folder; yields the URL for clients. What it logs is discarded.

    It ends with the context, and with this process, however that ends.
    """
    with bind(LOOPBACK[0], 0) as free:
        port = free.getsockname()[1]
    options = [str(folder), "--port", str(port), "--engine", engine]
    command = [sys.executable, "-m", "benchmark.serving.serve", *options]
    url = f"http://{LOOPBACK[0]}:{port}/v1"
    # Errors go to a file: a pipe that nobody reads would stop the server when it is full.
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            preexec_fn=partial(LIBC.prctl, PR_SET_PDEATHSIG, signal.SIGTERM),
        ) as server,
    ):
        try:
            _wait(server, errors, f"{url}/models")
            yield url
        finally:
            server.terminate()


def _wait(server: subprocess.Popen[bytes], errors: IO[bytes], url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()
            lines = text.splitlines() or [f"exit status {server.returncode}"]
            raise BadInput(f"the server ended: {lines[-1]}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise BadInput(f"the server did not answer in {PATIENCE:g} seconds")
