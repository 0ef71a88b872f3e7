"""The base model's own replies become general data; incomplete replies do not."""

from pathlib import Path

import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.inference import generate, self_replies
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Group, Trajectory, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from stages import self_replies as stage

LANGUAGES = ("en", "zh")
ASKED = 5  # in each language


def rehearsed(folder: Path, base: Path, new: int) -> list[Group]:
    section = {"max_new_tokens": new, "batch_size": 4, "group": 3, "threads": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump({"self_replies": section}))
    texts = {lang: [f"{lang} {'why ' * n}?" for n in range(ASKED)] for lang in LANGUAGES}
    held_out = {lang: [f"{lang} who?"] for lang in LANGUAGES}
    (folder / "general.yaml").write_text(yaml.safe_dump({"training": texts, "held_out": held_out}))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stage.main(Path("general.yaml"), base, Path("general.jsonl"))
    return list(jsonl.read(folder / "general.jsonl", Group))


@pytest.fixture
def ends(lively, monkeypatch) -> None:
    """The tiny model never ends by itself: a token that it does say becomes the end token."""
    chat = ChatTokenizer(lively / "tokenizer.json")
    spec = system_prompt.general_prompt("en")
    prefix = chat.prefix(spec)
    questions = [chat.question([User(f"en {'why ' * n}?")], spec) for n in range(ASKED)]
    ((first, *_),) = generate.decode_greedily(
        generate.load_model(lively), [generate.Prompt(prefix, questions)], chat.end, 8
    )
    decode = generate.decode_greedily

    def decode_to_first(model, batch, _, max_new_tokens, *, report):
        return decode(model, batch, first[-1], max_new_tokens, report=report)

    monkeypatch.setattr(generate, "decode_greedily", decode_to_first)


def test_an_incomplete_reply_is_left_out(base, tmp_path):
    assert rehearsed(tmp_path, base, 1) == []


@pytest.mark.usefixtures("ends")
def test_complete_replies_are_kept_without_the_held_out_questions(lively, tmp_path):
    replies = [reply for group in rehearsed(tmp_path, lively, 40) for reply in group.trajectories]
    assert replies
    assert all(reply.turns[1].text and len(reply.turns) == 2 for reply in replies)
    assert not [reply for reply in replies if reply.turns[0].text.endswith("who?")]


def test_a_group_holds_one_language_and_at_most_so_many():
    replies = [
        Trajectory(f"general.{lang}.{n:03}", (User("?"),), "general", lang)
        for n in range(7)
        for lang in LANGUAGES
    ]
    groups = list(self_replies.group_replies(replies, 3))
    assert [len(group.trajectories) for group in groups] == [3, 3, 1, 3, 3, 1]
    assert len({group.id for group in groups}) == len(groups)
    for group in groups:
        assert {reply.language for reply in group.trajectories} == {group.language}
        assert (group.tools, group.prompt.template) == ((), system_prompt.GENERAL_TEMPLATE)
