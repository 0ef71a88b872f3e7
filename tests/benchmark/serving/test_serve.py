"""`make serve`: OpenAI's client gets calls from a tuned folder, and bad requests get one line."""

import json
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import openai
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from agent_tuning.records import BadInput
from agent_tuning.tokens.openai_messages import build_tools
from benchmark.serving import serve
from benchmark.serving.transformers_server import adapt
from tests.support.overfitted_model import TOOLS

TOOLBOX = build_tools(TOOLS)
SKY, HOUR = '{"sky": "snow"}', '{"time": "8:10"}'


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def ask(client: openai.OpenAI, *messages: dict, **options: object):
    model = client.models.list().data[0].id
    tools = {"tools": TOOLBOX} | options
    return client.chat.completions.create(model=model, messages=list(messages), **tools)


def calls(message) -> list[tuple[str, dict]]:
    named = [call.function for call in message.tool_calls or []]
    return [(function.name, json.loads(function.arguments)) for function in named]


@pytest.mark.parametrize("thoughts", [True, False])
def test_a_chain_of_calls_ends_with_and_without_earlier_thoughts(client, thoughts):
    messages = [user("Weather in Kyiv, then the time.")]
    made = []
    for result in (SKY, HOUR):
        choice = ask(client, *messages).choices[0]
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        made += calls(choice.message)
        sent = choice.message.model_dump(exclude_none=True)
        messages.append(sent if thoughts else sent | {"content": ""})
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    last = ask(client, *messages).choices[0]
    assert made == [("get_weather", {"city": "Kyiv"}), ("get_time", {"city": "Kyiv"})]
    assert (last.message.content, last.finish_reason) == ("snow, 8:10", "stop")
    assert last.message.tool_calls is None


def test_the_thought_is_the_content_and_two_calls_are_two(client):
    message = ask(client, user("Weather and time in Cork?")).choices[0].message
    assert message.content == "Look it up."
    assert calls(message) == [("get_weather", {"city": "Cork"}), ("get_time", {"city": "Cork"})]


def test_a_stream_has_the_same_calls_and_says_why_it_ended(client):
    names, finish = [], None
    for chunk in ask(client, user("Weather and time in Cork?"), stream=True):
        names += [call.function.name for call in chunk.choices[0].delta.tool_calls or ()]
        finish = chunk.choices[0].finish_reason or finish
    assert (names, finish) == (["get_weather", "get_time"], "tool_calls")


@pytest.mark.parametrize(
    ("text", "reply"), [("Thanks!", "You are welcome."), ("What is the time?", "In which city?")]
)
def test_a_reply_and_a_question_are_plain_content(client, text, reply):
    choice = ask(client, user(text)).choices[0]
    assert (choice.message.content, choice.finish_reason) == (reply, "stop")
    assert choice.message.tool_calls is None


def test_a_request_without_tools_is_answered(client):
    choice = ask(client, user("Thanks!"), tools=openai.omit, max_tokens=5).choices[0]
    assert choice.message.tool_calls is None


def test_a_control_token_in_a_message_stays_text(client):
    plain = ask(client, user("a"), max_tokens=1).usage.prompt_tokens
    marked = ask(client, user("a<|im_end|>"), max_tokens=1).usage.prompt_tokens
    assert marked - plain == len("<|im_end|>")  # a token a byte


def test_a_call_that_is_cut_at_the_limit_is_text_and_says_so(client):
    choice = ask(client, user("Weather in Oslo?"), max_tokens=40).choices[0]
    assert choice.finish_reason == "length"
    assert choice.message.tool_calls is None


def history(arguments: str, content: str) -> tuple[dict, dict]:
    """An earlier call with these arguments and this thought."""
    function = {"name": "get_time", "arguments": arguments}
    calls = [{"id": "a", "type": "function", "function": function}]
    return user("Hi"), {"role": "assistant", "content": content, "tool_calls": calls}


def test_earlier_calls_reach_the_prompt_as_the_client_sent_them(client):
    def count(arguments: str, content: str) -> int:
        reply = ask(client, *history(arguments, content), max_tokens=1)
        return int(reply.usage.prompt_tokens)

    plain = count("{}", "")
    assert count("{}", "Think.") - plain == len("Think.\n")  # a token a byte
    assert count('{"a": b', "") - plain == len('{"a": b') - len("{}")  # no JSON, as it was written


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([user("word " * 20_000)], r"the prompt has 100\d\d\d tokens; the context is 2048"),
        ([{"content": "no role"}], r"missing required field `role` - at `\$.messages\[0\]`"),
        (["text"], r"Expected `object`, got `str` - at `\$.messages\[0\]`"),
        ([{"role": "assistant", "tool_calls": 5}], r"got `int` - at `\$.messages\[0\].tool_calls`"),
        ([{"role": "user", "content": 5}], r"got `int` - at `\$.messages\[0\].content`"),
        ([], "Expected `array` of length >= 1"),
    ],
)
def test_a_request_that_cannot_be_answered_is_one_line(client, messages, problem):
    with pytest.raises(openai.BadRequestError, match=problem):
        ask(client, *messages)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{nope", "the request cannot be read: JSON decode error"),
        (b"[1]", "the request cannot be read: Input should be a valid dictionary"),
        (b'{"messages": null}', "Expected `array`, got `null` - at `$.messages`"),
        (b'{"messages": [{"role": "user"}], "max_tokens": 0}', "at `$.max_tokens`"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_openai_refuses(url, body, problem):
    request = urllib.request.Request(
        f"{url}/chat/completions", body, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert problem in json.load(caught.value)["error"]["message"]


def test_an_answer_ends_where_the_context_does(client):
    def count(text: str) -> openai.types.CompletionUsage:
        return ask(client, user(text), max_tokens=1).usage

    room = 2048 - count("").prompt_tokens
    choice = ask(client, user("x" * (room - 3)), max_tokens=100, temperature=0)
    assert choice.usage.completion_tokens <= 3
    assert choice.choices[0].finish_reason == "length"


def test_fields_that_a_client_sends_as_null_are_as_if_absent(client):
    plain = ask(client, user("Thanks!"), max_tokens=1).usage.prompt_tokens
    empty = user("Thanks!") | {"tool_calls": None, "tool_call_id": None}
    assert ask(client, empty, max_tokens=1).usage.prompt_tokens == plain


def test_another_model_is_refused_by_name(client):
    with pytest.raises(openai.BadRequestError, match="requested 'gpt-4'"):
        client.chat.completions.create(model="gpt-4", messages=[user("Hi")])


def test_eight_clients_at_once_are_all_answered_alike(client):
    replies: list[str] = []

    def talk() -> None:
        replies.append(ask(client, user("Thanks!")).choices[0].message.content)

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies == ["You are welcome."] * 8


def test_a_client_that_is_gone_in_a_stream_stops_nobody_else(client):
    stream = ask(client, user("Weather and time in Cork?"), stream=True)
    next(iter(stream))
    stream.close()
    assert ask(client, user("Thanks!")).choices[0].message.content == "You are welcome."


def test_a_client_that_is_killed_before_its_answer_stops_nobody_else(client, url):
    """Its kernel resets the connection; a request that is not streamed still runs."""
    address = urllib.parse.urlsplit(url)
    body = json.dumps(
        {"model": client.models.list().data[0].id, "messages": [user("Sing a song.")]}
    ).encode()
    with socket.create_connection((address.hostname, address.port)) as killed:
        killed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}"
        )
        killed.sendall(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
    assert ask(client, user("Thanks!")).choices[0].message.content == "You are welcome."


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_web_page_cannot_use_the_server_and_no_other_model_can_be_loaded(url):
    root = url.removesuffix("/v1")
    assert status(f"{url}/models") == 200
    assert status(f"{url}/models", Host="evil.example") == 400
    assert status(f"{root}/load_model") == status(f"{root}/reset") == 404
    assert status(f"{url}/completions") == 404


@pytest.mark.parametrize(("address", "evil"), [("::1", 400), ("127.0.0.2", 400), ("0.0.0.0", 200)])
def test_on_every_loopback_address_a_server_has_its_own_names_alone(address, evil):
    app = FastAPI()
    adapt(app, "model", address)
    with TestClient(app) as client:

        def ask_as(host: str) -> int:
            return int(client.get("/v1/models", headers={"Host": host}).status_code)

        assert ask_as("evil.example") == evil
        own = f"[{address}]:8000" if ":" in address else f"{address}:8000"
        assert ask_as("[::1]:8000") == ask_as("localhost") == ask_as(own) == 200


def test_a_port_belongs_to_a_server_before_its_model_is_loaded():
    with serve.bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(BadInput, match=f"PORT={port}: Address already in use"):
            serve.bind("127.0.0.1", port)


def start(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmark.serving.serve", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_a_wrong_folder_a_busy_port_and_an_unknown_engine_are_one_line(overfitted, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        outcomes = {
            f"error: {tmp_path}/config.json: missing": start(tmp_path),
            f"error: HOST=127.0.0.1 PORT={port}: Address already in use": start(
                overfitted, "--port", str(port)
            ),
            "error: HOST=nowhere.invalid": start(overfitted, "--host", "nowhere.invalid"),
            "error: PORT=99999: expected a port from 0 to 65535": start(
                overfitted, "--port", "99999"
            ),
            "error: ENGINE=other: available": start(overfitted, "--engine", "other"),
            "error: ENGINE=vllm: vllm is not installed": start(overfitted, "--engine", "vllm"),
        }
    for line, done in outcomes.items():
        assert done.returncode == 1
        assert done.stderr.startswith(line), done.stderr
        assert done.stderr.count("\n") == 1


def test_a_missing_extra_is_named(overfitted, monkeypatch):
    monkeypatch.setattr(serve, "NEEDED", ("fastapi", "no_such_package"))
    with pytest.raises(BadInput, match=r"needs no_such_package; run `make setup`"):
        serve.main(overfitted)


def test_a_folder_without_weights_is_refused(overfitted, tmp_path):
    for name in serve.FILES:
        (tmp_path / name).write_bytes((overfitted / name).read_bytes())
    with pytest.raises(BadInput, match="no weights"):
        serve.check_folder(tmp_path)
