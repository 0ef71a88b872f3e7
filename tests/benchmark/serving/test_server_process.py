"""A server as a process of its own: it is never stopped by what it logs, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from benchmark.serving.server_process import running

# `vllm` as far as these tests need it: it lists no model, and logs 200 kB at every question.
TALKER = """#!{python}
import http.server, sys

class Talker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sys.stderr.write("x" * 200_000)
        self.send_response(200)
        self.end_headers()

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Talker).serve_forever()
"""
OWNER = """
import sys, time
from pathlib import Path
from benchmark.serving.server_process import running

with running(Path(sys.argv[1]), "vllm") as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "vllm"
    program.write_text(TALKER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


@pytest.mark.usefixtures("vllm")
def test_a_server_that_logs_more_than_a_pipe_holds_goes_on(overfitted):
    with running(overfitted, "vllm") as url:
        for _ in range(2):
            with urllib.request.urlopen(f"{url}/models", timeout=30) as answer:
                assert answer.status == 200


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_with_the_process_that_started_it(overfitted, kind):
    command = [sys.executable, "-c", OWNER, str(overfitted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline().split(":")[2].split("/")[0])
        owner.send_signal(kind)
    deadline = time.monotonic() + 60
    while is_open(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_that_ends_at_once_says_why(tmp_path):
    reason = r"the server ended: error: .*config.json: missing"
    with pytest.raises(BadInput, match=reason), running(tmp_path):
        pass
