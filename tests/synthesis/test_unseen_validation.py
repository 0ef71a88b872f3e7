"""Validation examples: those that training has, edited at most, are no validation."""

from agent_tuning.quality.decontamination import DecontaminationConfig, RewordedLimits
from agent_tuning.records import Assistant, Group, PromptSpec, Trajectory, User
from agent_tuning.synthesis.unseen_validation import keep_unseen

LIMITS = DecontaminationConfig(0.7, RewordedLimits(0.7, 0.7))


def group(name: str, *queries: str) -> Group:
    members = (
        Trajectory(f"{name}.{n}", (User(query), Assistant("ask", text="When?")), "call", "en")
        for n, query in enumerate(queries)
    )
    return Group(name, PromptSpec(name, "en", ()), tuple(members))


HELD = [
    group("a", "Book the small boat for Ines at nine.", "Which berth is free today?"),
    group("b", "Send the crew list to the harbour office, will you, before the tide turns?"),
]


def test_an_example_that_training_has_with_an_edit_is_left_out():
    training = [
        group("t", "Book the small boat for Ines at ten."),
        group("u", "Before noon, send the crew list to the harbour office, will you, at last"),
    ]
    (kept,) = keep_unseen(HELD, training, LIMITS)
    assert [one.id for one in kept.trajectories] == ["a.1"]


def test_two_examples_that_one_training_query_resembles_are_both_left_out():
    held = [group("a", "Show me the berths of quay 4.", "Show me the berths of quay 5.")]
    assert keep_unseen(held, [group("t", "Show me the berths of quay 7.")], LIMITS) == []


def test_examples_of_other_words_stay():
    assert keep_unseen(HELD, [group("t", "Cancel my trip to the island.")], LIMITS) == HELD
    assert keep_unseen([], HELD, LIMITS) == []
