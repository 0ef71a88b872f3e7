"""A share of the histories has no thoughts: every decision is still trained, and trained once."""

import msgspec
import pytest

from agent_tuning.records import Assistant, Group, Trajectory
from agent_tuning.synthesis.history_thoughts import hide_earlier_thoughts
from agent_tuning.tokens.chat_template import ChatTokenizer
from tests.conftest import call, prompt_in, remark

MANY = tuple(call(f"City{number}", answered=True) for number in range(200))
GROUP = Group("g", prompt_in("native"), (*MANY, call("Oslo"), remark("Nice day.")))


def decisions(trajectory: Trajectory) -> list[Assistant]:
    return [turn for turn in trajectory.turns if isinstance(turn, Assistant)]


def trained(group: Group) -> list[Assistant]:
    turns = [turn for trajectory in group.trajectories for turn in decisions(trajectory)]
    return [turn for turn in turns if turn.trained]


def test_every_decision_is_trained_once_and_as_it_was():
    assert trained(hide_earlier_thoughts(GROUP, 0.5, 7)) == trained(GROUP)


def test_an_earlier_decision_has_no_thought_and_is_context_only():
    group = hide_earlier_thoughts(GROUP, 1.0, 7)
    assert len(group.trajectories) == 2 * len(MANY) + 2
    assert len({trajectory.id for trajectory in group.trajectories}) == len(group.trajectories)
    for trajectory in group.trajectories:
        *earlier, last = decisions(trajectory)
        assert trajectory.turns[-1] == last
        assert last.trained
        assert not [turn for turn in earlier if turn.thought or turn.trained]


def test_about_the_share_is_rewritten_and_single_decisions_never():
    group = hide_earlier_thoughts(GROUP, 0.5, 7)
    kept = {trajectory.id for trajectory in group.trajectories} & {t.id for t in GROUP.trajectories}
    assert {"call.Oslo", "remark.Nice day."} < kept
    assert (len(kept) - 2) / len(MANY) == pytest.approx(0.5, abs=0.1)
    assert hide_earlier_thoughts(GROUP, 0.0, 7) == GROUP


def test_a_trajectory_is_rewritten_or_not_whatever_stands_beside_it():
    half = msgspec.structs.replace(GROUP, trajectories=MANY[::2])
    alone = hide_earlier_thoughts(half, 0.5, 7).trajectories
    assert {t.id for t in alone} <= {
        t.id for t in hide_earlier_thoughts(GROUP, 0.5, 7).trajectories
    }
    assert hide_earlier_thoughts(GROUP, 0.5, 8) != hide_earlier_thoughts(GROUP, 0.5, 7)


def test_other_prompts_keep_their_histories(groups):
    assert [hide_earlier_thoughts(group, 1.0, 7) for group in groups] == groups


def test_the_tokens_of_a_decision_are_those_that_a_server_asks_for(base):
    """With the calls alone in the history, as `transformers serve` writes it."""
    chat = ChatTokenizer(base / "tokenizer.json")
    one = msgspec.structs.replace(GROUP, trajectories=MANY[:1])
    last = hide_earlier_thoughts(one, 1.0, 7).trajectories[-1]
    text = chat.text(chat.question(last.turns[:-1], one.prompt))
    assert "assistant\n<tool_call>" in text
    assert "Look up" not in text
