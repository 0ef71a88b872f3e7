"""A team at work: two browsers at once, personal links, and a server that is killed in between.

DESK_TASKS=50 DESK_KILLS=8 makes a long run of it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.files import jsonl
from benchmark.annotation.web.events import Event, Verdict, find_current
from tests.support import annotation_data

browser = pytest.importorskip("tests.support.browser", exc_type=ImportError)
from selenium.common.exceptions import WebDriverException  # noqa: E402

from tests.support.browser import start_browser  # noqa: E402

pytestmark = browser.NEEDS_BROWSER
TASKS, KILLS = (int(os.environ.get(f"DESK_{name}", n)) for name, n in (("TASKS", 6), ("KILLS", 1)))
REPO = Path.cwd()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Desk:
    """A folder with candidates and the configuration of a team, and the server that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = [f"Town{number}" for number in range(TASKS)]
        annotation_data.write_suite(folder / "candidates", list(map(annotation_data.task, names)))
        (folder / "data").symlink_to(REPO / "data")
        review = {**msgspec.to_builtins(annotation_data.TWICE), "port": find_free_port()}
        sections = {"review": review, "desk": {"names": ["Ann", "Ben"], "hosts": []}}
        (folder / "params.yaml").write_bytes(msgspec.yaml.encode(sections))
        self.log = folder / "candidates/reviews.jsonl"
        self.server: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, str]:
        """Start the server; everybody's link, as it prints them."""
        paths = ["candidates", str(self.log), "review.db"]
        self.server = subprocess.Popen(
            [sys.executable, "-m", "benchmark.annotation.review.serve", *paths],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPO), "DESK_SECRET": "the secret of a test"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout
        return dict(self.server.stdout.readline().strip().split(": ", 1) for _ in range(2))

    def end(self, how: signal.Signals) -> None:
        assert self.server
        self.server.send_signal(how)
        self.server.communicate()


@pytest.fixture
def desk(tmp_path):
    opened = Desk(tmp_path)
    yield opened
    if opened.server and opened.server.poll() is None:
        opened.end(signal.SIGKILL)


STATE = """
if (document.querySelector("#task")) return "task " + location.pathname;
return document.querySelector("main.wide h1") ? "list" : "gone"; """


def approve_all(driver: Any, deadline: float) -> None:
    """Approve task by task; press again, or load the page again, if the server did not answer."""
    while time.monotonic() < deadline:
        with suppress(WebDriverException):  # between two pages there is nothing to press on
            state = driver.execute_script(STATE)
            if state == "list":
                return
            if state == "gone":
                time.sleep(0.2)
                driver.refresh()
                continue
            driver.find_element("tag name", "body").send_keys("a")
            until = time.monotonic() + 2
            while time.monotonic() < until and driver.execute_script(STATE) == state:
                time.sleep(0.03)


def test_two_browsers_and_a_killed_server_lose_nothing(desk, driver, tmp_path_factory):
    links = desk.start()
    deadline = time.monotonic() + 300 + 10 * TASKS  # a busy machine is no bug
    with start_browser(tmp_path_factory.mktemp("ben")) as other, ThreadPoolExecutor(2) as pool:
        driver.get(links["Ann"])
        other.get(links["Ben"])
        working = [pool.submit(approve_all, at, deadline) for at in (driver, other)]
        for _ in range(KILLS):
            time.sleep(1)
            desk.end(signal.SIGKILL)
            assert desk.start() == links  # the same addresses: nobody has to be told anything
        for work in working:
            work.result()
    desk.end(signal.SIGTERM)
    current = find_current(jsonl.read(desk.log, Event), Verdict)
    assert {subject: set(by_person) for subject, by_person in current.items()} == {
        f"house/Town{number}": {"Ann", "Ben"} for number in range(TASKS)
    }
