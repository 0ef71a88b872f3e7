"""How much of a server's speed the openai teacher uses: `python -m tests.perf.bench_teachers 2000`.

Our own server, in its own process, answers every request after 0.2 s, and 64 requests run at once.
An ideal run never waits for the teacher. CPU time and memory are those of the teacher's process.
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
SERVICE = Service(
    "", CONCURRENCY, timeout=60, retries=2, initial_backoff_s=1, max_backoff_s=5, poll_interval_s=1
)
# Many different queries.
STYLE = WritingStyle(
    seed=3, final_reply_rate=0.1, greeting_rate=0.8, closing_rate=0.8, typo_rate=0.6
)


def plan_requests(questions: int) -> list[GroupRequest]:
    """Groups that take about this many questions; one takes about nine."""
    p = msgspec.structs.replace(default_data.PLAN, groups={"en": questions // 9}, minimum={"en": 0})
    return list(Planner(default_data.CATALOGUE, p, default_data.HELD_OUT.tools).requests("en"))


def read_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(teacher: OpenAITeacher, requests: list[GroupRequest]) -> str:
    start, cpu_before = time.monotonic(), read_cpu_seconds()
    failed = sum(len(written.failures) for written in teacher.write(requests))
    seconds, cpu = time.monotonic() - start, read_cpu_seconds() - cpu_before
    sent = teacher.usage.requests
    ideal = sent * DELAY / CONCURRENCY
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{sent} requests, {failed} failed: {seconds:.1f} s of ideally {ideal:.1f} "
        f"({ideal / seconds:.0%}), {1000 * cpu / sent:.2f} ms CPU each, {memory:.0f} MB at most"
    )


def write_table(questions: int, path: Path) -> None:
    author = Author(default_data.teacher(STYLE))
    path.write_text(
        json.dumps(default_data.perfect_answers(author, plan_requests(questions), MODEL))
    )


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
            print(
                measure(
                    OpenAITeacher(replay, service, 1000.0, False, 0.0), plan_requests(questions)
                )
            )
            server.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]))
