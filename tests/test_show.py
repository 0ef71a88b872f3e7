"""The mask as a person sees it."""

import pytest

from tests.conftest import call
from trajectory import jsonl, show
from trajectory.chat import Chat
from trajectory.records import BadInput, User


@pytest.fixture(scope="module")
def chat(base) -> Chat:
    return Chat(base / "tokenizer.json")


def test_trained_tokens_stand_in_brackets_without_colour(chat, groups):
    text = show.painted(show.tokens(groups[0], 0, chat), chat, colour=False)
    assert "assistant\n[Thought: Look up Oslo0.\nAction: ][get_weather][" in text
    assert "[Weather" not in text


def test_trained_tokens_are_green_in_colour(chat, groups):
    text = show.painted(show.tokens(groups[0], 0, chat), chat, colour=True)
    assert f"{show.BOLD}get_weather{show.RESET}" in text


def test_control_characters_are_escaped():
    assert show.printable("a\x1b[31mb\u202e") == "a\\x1b[31mb\\u202e"


def test_a_trajectory_is_found_by_its_id_and_an_unknown_one_is_one_clear_line(groups, tmp_path):
    path = tmp_path / "groups.jsonl"
    jsonl.write(path, groups)
    group, index = show.found(path, call("Oslo2").id)
    assert group.trajectories[index].turns[0] == User("Weather in Oslo2?")
    with pytest.raises(BadInput, match="no trajectory 'x'"):
        show.found(path, "x")
