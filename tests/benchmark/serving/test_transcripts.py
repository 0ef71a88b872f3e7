"""`make transcripts`: conversations of OpenAI's client with a server, line by line."""

import os
import subprocess
import sys

import pytest

from agent_tuning.records import Call
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

    def reset(self) -> None: ...


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
    assert done.stderr == "error: http://127.0.0.1:9/v1: Connection error.\n"
