"""`make transcripts`: conversations of OpenAI's client with a server, line by line."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterable

import openai
import pytest

from agent_tuning.records import BadInput, Call
from benchmark.serving.ask_server import find_model
from benchmark.serving.transcripts import Client, Script
from tests.support.overfitted_model import TOOLS

CHAIN = [
    "user      > Weather in Kyiv, then the time.",
    "content   > Look it up.",
    'tool_call > get_weather {"city": "Kyiv"}',
    'tool      > {"sky": "snow"}',
    "          (tool_calls)",
    "content   > Now the time.",
    'tool_call > get_time {"city": "Kyiv"}',
    'tool      > {"time": "8:10"}',
    "          (tool_calls)",
    "content   > snow, 8:10",
    "          (stop)",
]


class World:
    """A toolbox in which it is 8:10, and always snows."""

    tools = TOOLS

    def call(self, call: Call) -> dict[str, str]:
        return {"sky": "snow"} if call.name == "get_weather" else {"time": "8:10"}

    def reset(self, calls: Iterable[Call] = ()) -> None: ...


@pytest.fixture
def talk(client) -> Client:
    return Client(client, World())


def test_a_chain_of_calls_is_played_to_its_end(talk):
    assert list(talk.play(Script("a chain", (CHAIN[0].removeprefix("user      > "),)))) == CHAIN


def test_a_script_begins_anew_and_an_ask_is_answered_in_the_next_turn(talk):
    list(talk.play(Script("before", ("Thanks!",))))
    lines = list(talk.play(Script("an ask", ("What is the time?", "Bonn."))))
    assert lines[:6] == [
        "user      > What is the time?",
        "content   > In which city?",
        "          (stop)",
        "user      > Bonn.",
        "content   > Look it up.",
        'tool_call > get_time {"city": "Bonn"}',
    ]


def test_a_stream_is_shown_chunk_by_chunk_beside_the_whole(talk):
    lines = list(talk.play(Script("a stream", ("Weather in Oslo?",), stream=True)))
    first = lines.index("content   > Look it up.")
    chunks = [line.removeprefix("chunk     > ") for line in lines[1:first]]
    assert len(chunks) > 3
    assert chunks[-1] == "tool_calls"
    assert any(chunk.startswith("get_weather ") for chunk in chunks)


def test_arguments_that_are_no_object_are_an_error_of_the_call(talk):
    assert "error" in talk._call("get_time", '{"city": ')
    assert talk._call("get_time", "{}") == {"time": "8:10"}


def test_a_server_that_is_not_there_is_one_line():
    command = [sys.executable, "-m", "benchmark.serving.transcripts", "models/x", "data/catalogue"]
    done = subprocess.run(
        [*command, "weather"],
        env={**os.environ, "URL": "http://127.0.0.1:9/v1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        "error: URL=http://127.0.0.1:9/v1: no OpenAI-compatible server that lists a model: "
        "Connection error.\n"
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", "<html></html>"),
        ("application/json", '{"data": []}'),
        ("application/json", "{}"),
        ("application/json", '{"data": [1]}'),
        ("application/json", "<html>"),
    ],
)
def test_a_server_that_lists_no_model_is_one_line(kind, body):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *words: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        with pytest.raises(BadInput, match=f"URL={url}: ") as caught:
            find_model(openai.OpenAI(base_url=url, api_key="none", max_retries=0))
        server.shutdown()
    assert "\n" not in str(caught.value)
