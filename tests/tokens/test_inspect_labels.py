"""The mask as a person sees it."""

import os
import shlex
import subprocess
import sys

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, User
from agent_tuning.tokens import inspect_labels
from agent_tuning.tokens.chat_template import ChatTokenizer
from tests.conftest import call


@pytest.fixture(scope="module")
def chat(base) -> ChatTokenizer:
    return ChatTokenizer(base / "tokenizer.json")


def test_trained_tokens_stand_in_brackets_without_colour(chat, groups):
    text = inspect_labels.format_tokens(
        inspect_labels.label_tokens(groups[0], 0, chat), chat, colour=False
    )
    assert "assistant\n[Thought: Look up Oslo0.\nAction: ][get_weather][" in text
    assert "[Weather" not in text


def test_trained_tokens_are_green_in_colour(chat, groups):
    text = inspect_labels.format_tokens(
        inspect_labels.label_tokens(groups[0], 0, chat), chat, colour=True
    )
    assert f"{inspect_labels.BOLD}get_weather{inspect_labels.RESET}" in text


def test_control_characters_are_escaped(chat):
    tokens = [(token, False, False) for token in chat.tokenizer.encode("a\x1b[31mb\u202e\n").ids]
    text = inspect_labels.format_tokens(iter(tokens), chat, colour=False)
    assert text == "a\\x1b[31mb\\u202e\n"


def test_a_trajectory_is_found_by_its_id_and_an_unknown_one_is_one_clear_line(groups, tmp_path):
    path = tmp_path / "groups.jsonl"
    jsonl.write(path, groups)
    group, index = inspect_labels.find_trajectory(path, call("Oslo2").id)
    assert group.trajectories[index].turns[0] == User("Weather in Oslo2?")
    with pytest.raises(BadInput, match="no trajectory 'x'"):
        inspect_labels.find_trajectory(path, "x")


@pytest.fixture
def command(base, groups, tmp_path) -> list[str]:
    path = tmp_path / "groups.jsonl"
    first = groups[0].trajectories[0]
    turns = (User("上海的天气? "), *first.turns[1:])
    trajectory = msgspec.structs.replace(first, turns=turns)
    jsonl.write(path, [msgspec.structs.replace(groups[0], trajectories=(trajectory,))])
    return [sys.executable, "-m", inspect_labels.__name__, str(path), str(base)]


def test_a_terminal_without_the_characters_shows_their_codes(command):
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    shown = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"\\u4e0a\\u6d77" in shown.stdout


def test_a_reader_that_has_seen_enough_ends_it_in_silence(command):
    shown = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shlex.join(command)} | true"],
        capture_output=True,
        check=False,
    )
    assert shown.stderr.decode() == ""
