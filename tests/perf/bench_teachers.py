"""How much of a server's speed the openai teacher uses: `python -m tests.perf.bench_teachers 2000`.

A server of our own, in its own process, answers every request after 0.2 s; 64 run at once. Ideal
is a run that never waits for us. CPU time and memory are those of the teacher's process alone.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import ChatModel, Service
from agent_tuning.synthesis.planner import Planner
from agent_tuning.synthesis.teachers import GroupRequest
from agent_tuning.synthesis.teachers.author import Author
from agent_tuning.synthesis.teachers.openai import OpenAITeacher
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from agent_tuning.synthesis.teachers.scripted import WritingStyle
from tests.support import default_data

DELAY = 0.2  # seconds
CONCURRENCY = 64
MODEL = ChatModel("some-model", True, {"max_tokens": 200})
SERVICE = Service("", CONCURRENCY, timeout=60, retries=2, first_wait=1, longest_wait=5, poll=1)
STYLE = WritingStyle(
    seed=3, replies=0.1, opened=0.8, closed=0.8, mistyped=0.6
)  # many different queries


def planned(questions: int) -> list[GroupRequest]:
    """Requests that take about so many questions; a group takes about nine."""
    p = msgspec.structs.replace(default_data.PLAN, groups={"en": questions // 9}, minimum={"en": 0})
    return list(Planner(default_data.CATALOGUE, p).requests("en"))


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(teacher: OpenAITeacher, requests: list[GroupRequest]) -> str:
    started, used = time.monotonic(), cpu()
    failed = sum(len(written.failures) for written in teacher.write(requests))
    seconds, used = time.monotonic() - started, cpu() - used
    asked = teacher.usage.requests
    ideal = asked * DELAY / CONCURRENCY
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{asked} requests, {failed} failed: {seconds:.1f} s of ideally {ideal:.1f} "
        f"({ideal / seconds:.0%}), {1000 * used / asked:.2f} ms CPU each, {memory:.0f} MB at most"
    )


def write_table(questions: int, path: Path) -> None:
    author = Author(default_data.teacher(STYLE))
    path.write_text(json.dumps(default_data.perfect_answers(author, planned(questions), MODEL)))


def main(questions: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "table.json"
        write = f"write_table({questions}, Path({str(table)!r}))"
        code = f"from tests.perf.bench_teachers import *; {write}"
        subprocess.run([sys.executable, "-c", code], check=True)  # its memory is not the teacher's
        command = [sys.executable, "-m", "tests.support.chat_server", str(table), str(DELAY)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            service = msgspec.structs.replace(SERVICE, base_url=server.stdout.readline().strip())
            author = Author(default_data.teacher(STYLE))
            replay = ReplayTeacher(
                author, MODEL, AnswerStore(Path(name) / "store"), Price(1.0, 1.0)
            )
            print(measure(OpenAITeacher(replay, service, 1000.0, False, 0.0), planned(questions)))
            server.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]))
