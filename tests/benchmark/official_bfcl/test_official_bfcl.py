"""`make bfcl`: asking over a server, resuming, and bfcl-eval's own checker behind our import."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import openai
import pytest

from agent_tuning.files import yaml_records
from agent_tuning.model.base_model import FetchConfig
from agent_tuning.records import BadInput
from benchmark.official_bfcl import ask
from tests.support import bfcl_wrong
from tests.support.bfcl_gold import Golds, GoldServer, Json, find_data
from tests.support.local_server import running_in_a_thread

ROOT = Path(__file__).parents[3]
VENV = ROOT / ".venv-bfcl"
PYTHON = VENV / "bin/python"
SLICE = ROOT / "benchmark/official_bfcl/slice.json"
LOCK = (ROOT / "benchmark/official_bfcl/requirements.lock").read_text()
MAIN = "benchmark.official_bfcl"
SINGLE = ("simple_python", "simple_java", "simple_javascript", "multiple", "parallel",
          "live_parallel_multiple", "irrelevance", "live_relevance")  # fmt: skip

needs_package = pytest.mark.skipif(
    not PYTHON.exists(), reason="NO BFCL ENVIRONMENT: make .venv-bfcl/ready"
)


class Desk:
    """A folder that `make bfcl` could run in, with a slice of `count` questions a category."""

    def __init__(self, folder: Path, categories: Sequence[str], count: int) -> None:
        self.folder = folder
        (folder / "params.yaml").symlink_to(ROOT / "params.yaml")
        self.ids = {c: json.loads(SLICE.read_text())[c][:count] for c in categories}
        (folder / "slice.json").write_text(json.dumps(self.ids))

    def run(self, *words: object, url: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(PYTHON), "-m", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": url}
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=environment, check=False
        )

    def ask(self, url: str, *words: object) -> subprocess.CompletedProcess[str]:
        return self.run(f"{MAIN}.ask", *(words or ("m", "n", "slice.json")), url=url)

    def score(self, url: str, model: str = "m") -> dict[str, Json]:
        done = self.run(f"{MAIN}.score", model, "n", "slice.json", "scores/n.json", url=url)
        assert done.returncode == 0, done.stderr
        return json.loads((self.folder / "scores/n.json").read_text())["categories"]

    def answers(self) -> list[Json]:
        files = self.folder.glob("scratch/bfcl/n-*/answers.jsonl")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, ["simple_python"], 4)


@pytest.fixture
def server() -> Iterator[GoldServer]:
    with GoldServer(Golds(find_data(VENV), "simple_python")).running() as server:
        yield server


@needs_package
@pytest.mark.slow
@pytest.mark.parametrize("categories", [SINGLE, ("multi_turn_miss_func",)], ids=["one", "several"])
def test_bfcls_own_golds_score_one_over_a_server(tmp_path: Path, categories: list[str]) -> None:
    """In one turn, and in several."""
    desk = Desk(tmp_path, categories, 2)
    with GoldServer(Golds(find_data(VENV), *categories)).running() as server:
        done = desk.ask(server.url)
        assert done.returncode == 0, done.stderr
        scores = desk.score(server.url)
    expected = {"correct": 2, "questions": 2, "failed": 0}
    assert {name: score.items() >= expected.items() for name, score in scores.items()} == (
        dict.fromkeys(categories, True)
    )


@needs_package
@pytest.mark.slow
def test_our_import_of_the_checker_says_what_their_own_command_says(tmp_path: Path) -> None:
    """tests/golden/bfcl_verdicts.json has what the unchanged command said, model list and all."""
    known = json.loads((ROOT / "tests/golden/bfcl_verdicts.json").read_text())
    rules = {id: entry["rule"] for id, entry in known.items()}
    given = bfcl_wrong.build_results(find_data(VENV), rules)
    (tmp_path / "given.json").write_text(json.dumps(given))
    desk = Desk(tmp_path, ["simple_python"], 1)
    done = desk.run("tests.support.bfcl_judge", "given.json", "judged")
    assert done.returncode == 0, done.stderr
    verdicts = bfcl_wrong.read_verdicts(tmp_path / "judged/score", given)
    assert verdicts == {id: entry["verdict"] for id, entry in known.items()}
    assert {verdict == bfcl_wrong.RIGHT for verdict in verdicts.values()} == {True, False}


@needs_package
def test_a_run_resumes_and_asks_no_kept_question_again(desk: Desk, server: GoldServer) -> None:
    server.refuse = dict.fromkeys(range(4, 50), 503)  # one request checks the server, two answers
    stopped = desk.ask(server.url)
    assert stopped.returncode == 75
    assert stopped.stderr.startswith("stopped: simple_python_")
    assert "run the same command to resume" in stopped.stderr
    kept = [answer["id"] for answer in desk.answers()]
    assert len(kept) == 2
    server.refuse, server.requests = {}, []
    assert desk.ask(server.url).returncode == 0
    assert len(server.requests) == 1 + 2
    assert sorted(answer["id"] for answer in desk.answers()) == sorted(desk.ids["simple_python"])
    assert desk.score(server.url)["simple_python"]["correct"] == 4


@needs_package
def test_a_refused_question_counts_as_wrong_and_the_others_are_asked(
    desk: Desk, server: GoldServer
) -> None:
    server.refuse = {3: 400}
    done = desk.ask(server.url)
    assert done.stdout.splitlines()[-1].endswith("4 new answers, 1 of them failed")
    score = desk.score(server.url)["simple_python"]
    assert (score["correct"], score["failed"]) == (3, 1)
    _, *asked = server.requests  # with native tools, and a limit
    assert {"tools", "messages", "max_tokens", "temperature"} <= asked[0].keys()


@needs_package
def test_other_weights_or_another_template_under_the_same_name_are_asked_anew(
    desk: Desk, server: GoldServer
) -> None:
    model = desk.folder / "m"
    model.mkdir()
    for file, content in (
        ("model.safetensors", "one"),
        ("model.safetensors", "two"),
        ("chat_template.jinja", "{{ messages }}"),
        ("chat_template.jinja", "{{ messages }}{{ tools }}"),
    ):
        (model / file).write_text(content)
        assert "4 new answers" in desk.ask(server.url).stdout
    assert len([*desk.folder.glob("scratch/bfcl/n-*")]) == 4


@needs_package
def test_what_a_model_calls_never_runs_as_code(tmp_path: Path) -> None:
    """Their simulation passes the calls of several turns to `eval`."""
    desk = Desk(tmp_path, ["multi_turn_base"], 1)
    victims = [tmp_path / "victim", tmp_path / "victim2"]
    calls = [
        ("open", {"file": str(victims[0]), "mode": "w"}),
        ("importlib.os.mkdir", {"path": str(victims[0])}),
        ("ls", {f"a=open({str(victims[1])!r}, 'w'), b": True}),
    ]
    golds = Golds(find_data(VENV), "multi_turn_base")
    golds.conversations = [(said, [calls for _ in turns]) for said, turns in golds.conversations]
    with GoldServer(golds).running() as server:
        done = desk.ask(server.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("bfcl 1/1 100% done")  # and none of their steps
        results = [m["content"] for r in server.requests for m in r["messages"]
                   if m["role"] == "tool"]  # fmt: skip
    assert results
    assert all(result.startswith("Error during execution") for result in results)
    assert not any(victim.exists() for victim in victims)


@needs_package
def test_a_dead_server_or_a_wrong_model_is_one_line(desk: Desk, server: GoldServer) -> None:
    dead = desk.ask("http://127.0.0.1:9/v1")
    assert dead.stderr == (
        "error: http://127.0.0.1:9/v1: no server answers; start one with `make serve`\n"
    )
    server.refuse = {1: 400}
    wrong = desk.ask(server.url)
    assert wrong.stderr.startswith(f"error: {server.url}: model m: HTTP 400: ")
    assert wrong.stderr.count("\n") == 1
    assert not desk.answers()


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("text/html", "<html>Log in</html>"),
        ("application/json", "<html>"),
        ("application/json", '{"detail": "log in"}'),
    ],
)
def test_an_address_that_is_no_server_of_models_is_one_line(kind: str, page: str) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    handler: Json = SimpleNamespace(client=client, model_name="m")
    with running_in_a_thread(server), pytest.raises(BadInput) as refused:
        ask.check_server(handler, url)
    assert str(refused.value).startswith(f"{url}: answers, but not as a chat completion")
    assert "\n" not in str(refused.value)


@needs_package
def test_when_an_answer_cannot_be_kept_no_more_are_asked(
    tmp_path: Path, server: GoldServer
) -> None:
    desk = Desk(tmp_path, ["simple_python"], 20)
    server.refuse = dict.fromkeys(range(4, 50), 503)
    desk.ask(server.url)
    server.refuse, server.requests = {}, []
    (folder,) = desk.folder.glob("scratch/bfcl/n-*")
    shutil.rmtree(folder)
    folder.write_text("in the way of the answers")
    assert desk.ask(server.url).returncode != 0
    assert len(server.requests) < 20


@needs_package
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("m", "n", "slice.json", "simple"), "CATEGORIES: simple: the slice has simple_python"),
        (("m", "n", "wrong.json"), "wrong.json: simple_python: bfcl-eval"),
    ],
)
def test_a_wrong_slice_or_category_is_one_line(
    desk: Desk, words: Sequence[str], problem: str
) -> None:
    (desk.folder / "wrong.json").write_text('{"simple_python": ["simple_python_4000"]}')
    done = desk.ask("http://127.0.0.1:9/v1", *words)
    assert done.stderr.startswith(f"error: {problem}")
    assert done.stderr.count("\n") == 1


@needs_package
def test_the_slice_is_the_one_that_its_seed_draws(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").symlink_to(ROOT / "params.yaml")
    desk = Desk.__new__(Desk)
    desk.folder = tmp_path
    assert desk.run(f"{MAIN}.questions", "drawn.json").returncode == 0
    assert (tmp_path / "drawn.json").read_text() == SLICE.read_text()


def test_the_slice_has_twenty_questions_of_every_category_that_has_so_many() -> None:
    sizes = {category: len(ids) for category, ids in json.loads(SLICE.read_text()).items()}
    small = {"live_parallel": 16, "live_relevance": 16}
    assert sizes == dict.fromkeys(sizes, 20) | small
    assert len(sizes) == 17
    assert "multi_turn_base" in sizes


def test_the_lock_has_the_release_of_the_derived_suite_and_no_torch() -> None:
    fetched = yaml_records.read(ROOT / "params.yaml", FetchConfig, "fetch").wheels.bfcl
    assert f"bfcl_eval=={fetched.version}\n" in LOCK
    pins = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert all("==" in pin for pin in pins)
    assert not [pin for pin in pins if pin.startswith(("torch", "transformers"))]


def test_another_python_is_one_line(tmp_path: Path) -> None:
    for name in ("Makefile", "params.yaml", "benchmark", "environment"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        ["make", ".venv-bfcl/ready", "PYTHON=false"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    first, *_ = done.stderr.splitlines()
    assert first.startswith("error: PYTHON=false: expected Python 3.11 or 3.12")
    assert not (tmp_path / ".venv-bfcl").exists()
