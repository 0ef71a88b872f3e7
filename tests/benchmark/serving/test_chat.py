"""`make chat`: a person types, calls are made in simulators, and nothing controls the terminal."""

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Call, ToolResult, Trajectory, User
from benchmark.serving.chat import chat, format_line
from benchmark.serving.conversation import Conversation, Line, McpTools, SimulatedTools
from tests.support.overfitted_model import CONVERSATIONS, TOOLS

ANSWERED = CONVERSATIONS[0][:4]  # the first question, its call, the result and the reply


class Sky:
    """A toolbox in which it always rains."""

    tools = TOOLS

    def __init__(self) -> None:
        self.made: list[Call] = []

    def call(self, call: Call) -> dict[str, str]:
        self.made.append(call)
        return {"sky": "rain"}

    def reset(self, calls: Iterable[Call] = ()) -> None:
        self.made = list(calls)


@pytest.fixture(scope="module")
def sky() -> Sky:
    return Sky()


@pytest.fixture
def conversation(overfitted: Path, sky: Sky) -> Conversation:
    sky.reset()
    return Conversation(overfitted, sky, max_new_tokens=300, steps=3)


def test_calls_are_made_and_their_results_lead_to_a_reply(conversation, sky):
    lines = [line for line in conversation.say("Weather in Oslo?") if line.label != "tokens"]
    assert lines == [
        Line("thought", "Look it up."),
        Line("call", 'get_weather {"city": "Oslo"}'),
        Line("result", '{"sky": "rain"}'),
        Line("reply", "Rain."),
    ]
    assert sky.made == [Call("get_weather", {"city": "Oslo"})]
    assert conversation.turns == list(ANSWERED)


def test_a_message_without_a_reply_is_taken_back(overfitted, sky):
    impatient = Conversation(overfitted, sky, max_new_tokens=300, steps=1)
    shown, *_, last = impatient.say("Weather in Oslo?")
    assert last == Line("note", "no reply after 1 decisions")
    assert impatient.turns == []
    assert next(impatient.say("Weather in Oslo?")) == shown  # its tokens were taken back, too
    *_, last = impatient.say("word " * 2000)
    assert last.text.startswith("too long: ")
    cut = Conversation(overfitted, sky, max_new_tokens=20, steps=3)
    *_, last = cut.say("Weather in Oslo?")
    assert last.text.startswith("this reply cannot be read (cut at the limit of tokens)")
    assert cut.turns == []


def test_a_message_that_is_taken_back_takes_back_its_calls_and_no_others(overfitted, sky):
    conversation = Conversation(overfitted, sky, max_new_tokens=300, steps=3)
    list(conversation.say("Weather in Oslo?"))
    replied = [Call("get_weather", {"city": "Oslo"})]
    for line in conversation.say("And in Rome?"):
        if line.label == "result":
            break
    assert sky.made == replied
    assert conversation.turns == list(ANSWERED)


def test_simulated_tools_begin_anew_with_the_calls_that_stay():
    toolbox = SimulatedTools(Catalogue(Path("data/catalogue"), ["shop", "cart"]))
    add = Call("add_to_cart", {"product": "Zeno S3"})
    first, second, _ = (toolbox.call(add) for _ in range(3))
    toolbox.reset([add])
    assert toolbox.call(add) == second != first
    toolbox.reset()
    assert toolbox.call(add) == first


def test_tools_of_a_catalogue_without_english_are_described_in_its_language(tmp_path):
    entry = {"name": "get_sky", "description": {"zh": "天空。"}, "observations": [{"sky": "雨"}]}
    parameters = {"type": "object", "properties": {}, "required": []}
    entry |= {"parameters": parameters, "scenarios": [], "remarks": []}
    domain = {"domain": "sky", "languages": ["zh"], "tools": [entry]}
    (tmp_path / "sky.yaml").write_text(yaml.safe_dump(domain))
    (tool,) = SimulatedTools(Catalogue(tmp_path)).tools
    assert tool.description == "天空。"


def test_a_conversation_that_ends_in_an_error_is_kept(conversation, tmp_path, monkeypatch):
    """What was replied to: the message that the error stopped is taken back."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("How is the weather?\nRome.\n"))
    monkeypatch.setattr(conversation.toolbox, "call", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        chat(conversation, show=False, kept=tmp_path / "kept.jsonl")
    (kept,) = jsonl.read(tmp_path / "kept.jsonl", Trajectory)
    assert kept.turns[0] == User("How is the weather?")
    assert len(kept.turns) == 2


def test_the_tokens_are_shown_once_as_the_model_sees_them(conversation):
    first, *_ = conversation.say("Thanks!")
    assert first.label == "tokens"
    assert first.text.startswith(f"{first.text.split()[0]} tokens read:\n<|im_start|>|s|y|s|t|e|m|")
    assert first.text.endswith("16 tokens written:\nY|o|u| |a|r|e| |w|e|l|c|o|m|e|.")
    second, *_ = conversation.say("Thanks!")
    assert "s|y|s|t|e|m" not in second.text


def test_control_characters_are_shown_and_not_obeyed():
    text = format_line(Line("reply", "\x1b[2Jred\x07\r\x9b\u202eend\nnext"), colour=False)
    assert text == "reply  > \\x1b[2Jred\\x07\\r\\x9b\\u202eend\n         next"
    assert all(character.isprintable() or character == "\n" for character in text)


def test_a_pipe_is_answered_and_nothing_is_kept_unless_asked(overfitted, tmp_path):
    kept = tmp_path / "kept.jsonl"
    command = [sys.executable, "-m", "benchmark.serving.chat", overfitted, "data/catalogue"]
    typed = "/tools\nThanks\x1b[2J\n/new\n\nThanks!\n"
    done = subprocess.run(
        [*command, "weather", "--keep", kept],
        input=typed.encode() + b"\xff\n",
        capture_output=True,
        check=True,
        timeout=300,
    )
    output = done.stdout.decode()
    assert "get_current_weather: " in output
    assert "you    > Thanks\\x1b[2J\n" in output
    assert "\x1b" not in output
    assert len(list(jsonl.read(kept, Trajectory))) <= 2
    before = set(tmp_path.iterdir())
    subprocess.run([*command, "weather"], input=b"", check=True, capture_output=True, timeout=300)
    assert set(tmp_path.iterdir()) == before


def test_bad_input_is_one_line(overfitted, tmp_path):
    command = [sys.executable, "-m", "benchmark.serving.chat"]
    for words, line in {
        (tmp_path, "data/catalogue"): f"error: {tmp_path}/config.json: missing",
        (overfitted, "data/catalogue", "nowhere"): "error: data/catalogue: no domain 'nowhere'",
        (overfitted, "data/catalogue", "--keep", tmp_path): f"error: KEEP={tmp_path}: Is a dir",
    }.items():
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(line), done.stderr
        assert done.stderr.count("\n") == 1


def test_a_result_is_a_turn_of_the_conversation(conversation):
    list(conversation.say("Weather in Oslo?"))
    assert ToolResult("get_weather", {"sky": "rain"}) in conversation.turns


@pytest.fixture(scope="module")
def mcp_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command line of an MCP server with the tools of the overfitted model."""
    catalogue = tmp_path_factory.mktemp("catalogue")
    entries = [
        {"name": tool.name, "description": {"en": tool.description}, "parameters": tool.parameters}
        | {"siblings": [other.name for other in TOOLS if other != tool]}
        | {"observations": [observation], "scenarios": [], "remarks": []}
        for tool, observation in zip(TOOLS, ({"sky": "rain"}, {"time": "7:00"}), strict=True)
    ]
    domain = {"domain": "sky", "languages": ["en"], "tools": entries}
    (catalogue / "sky.yaml").write_text(yaml.safe_dump(domain))
    path = f"PYTHONPATH={':'.join(part for part in [os.getcwd(), *sys.path] if part)}"
    module = [sys.executable, "-m", "agent_tuning.mcp_tools.server", str(catalogue)]
    return shlex.join(["env", path, *module])


def test_the_tools_of_an_mcp_server_are_really_called(overfitted, mcp_server):
    pytest.importorskip("mcp")
    from agent_tuning.mcp_tools.client import connect

    with connect(mcp_server) as connection:
        conversation = Conversation(overfitted, McpTools(connection), max_new_tokens=300, steps=3)
        assert conversation.spec.tools == TOOLS
        lines = [line for line in conversation.say("Weather in Oslo?") if line.label != "tokens"]
        assert lines[1:] == [
            Line("call", 'get_weather {"city": "Oslo"}'),
            Line("result", '{"sky": "rain"}'),
            Line("reply", "Rain."),
        ]
        conversation.reset()
        assert conversation.turns == []
        assert "error" in conversation.toolbox.call(Call("get_weather", {}))


def test_a_conversation_starts_the_mcp_server_and_ends_it(overfitted, mcp_server):
    pytest.importorskip("mcp")
    command = [sys.executable, "-m", "benchmark.serving.chat", overfitted, "data/catalogue"]
    variables = {**os.environ, "MCP": mcp_server}
    done = subprocess.run(
        command, input="/tools\n", env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "get_weather: Weather of a city.\nget_time: Time in a city.\n" in done.stdout
    for words, server, line in [
        (["weather"], mcp_server, "error: MCP: an MCP server lists its own tools"),
        ([], "no-such-command", "error: no-such-command: no MCP server"),
    ]:
        failed = subprocess.run(
            [*command, *words],
            env=variables | {"MCP": server},
            capture_output=True,
            text=True,
            check=False,
        )
        assert failed.stderr.startswith(line), failed.stderr
        assert failed.stderr.count("\n") == 1


def test_tools_that_leave_no_room_are_one_line(overfitted, sky):
    with pytest.raises(BadInput, match=r"2 tools take \d+ tokens, of 2048 in the model's context"):
        Conversation(overfitted, sky, max_new_tokens=2000, steps=1)
