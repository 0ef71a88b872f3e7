"""The mask as a person sees it."""

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


def test_control_characters_are_escaped():
    assert inspect_labels.escape_control_characters("a\x1b[31mb\u202e") == "a\\x1b[31mb\\u202e"


def test_a_trajectory_is_found_by_its_id_and_an_unknown_one_is_one_clear_line(groups, tmp_path):
    path = tmp_path / "groups.jsonl"
    jsonl.write(path, groups)
    group, index = inspect_labels.find_trajectory(path, call("Oslo2").id)
    assert group.trajectories[index].turns[0] == User("Weather in Oslo2?")
    with pytest.raises(BadInput, match="no trajectory 'x'"):
        inspect_labels.find_trajectory(path, "x")
