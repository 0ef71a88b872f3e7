"""Random values: the same everywhere in a trajectory; enums, dates and observed values stay."""

import random

import msgspec
import pytest

from agent_tuning.catalogue import schema
from agent_tuning.records import Assistant, Call, Tool, ToolResult, Trajectory, User
from agent_tuning.synthesis import value_randomization
from tests.support import default_data

TOOL = Tool(
    "find_flight",
    "",
    {
        "type": "object",
        "properties": {
            "origin": {"type": "string"},
            "date": {"type": "string"},
            "seat": {"type": "string", "enum": ["window", "aisle"]},
            "names": {"type": "array", "items": {"type": "string"}},
        },
    },
)


def build_trajectory(query: str, thought: str, **arguments: object) -> Trajectory:
    call = Call("find_flight", arguments)
    turns = (User(query), Assistant("call", thought, (call,)))
    return Trajectory("t", turns, "call", "en", "find_flight")


def randomize(trajectory: Trajectory, seed: int = 0) -> Trajectory:
    return value_randomization.randomize_values(trajectory, [TOOL], random.Random(seed))


def test_a_value_is_the_same_in_query_thought_and_arguments():
    trajectory = build_trajectory(
        "From New York, window, for Ada and Newton.",
        "I should fly from New York.",
        origin="New York",
        seat="window",
        names=["Ada", "Newton"],
    )
    user, decision = randomize(trajectory).turns
    (call,) = decision.calls
    first, second = call.arguments["origin"].split()
    ada, newton = call.arguments["names"]
    assert len({first, second, ada, newton, "New", "York", "Ada", "Newton"}) == 8
    assert user.text == f"From {first} {second}, window, for {ada} and {newton}."
    assert decision.thought == f"I should fly from {first} {second}."
    assert call.arguments["seat"] == "window"


@pytest.mark.parametrize(
    "arguments",
    [{"date": "2025-03-14"}, {"date": "16:30"}, {"origin": "Oslo"}, {"seat": "window"}, {}],
    ids=["a date", "a time", "not said", "a member of an enum", "no argument"],
)
def test_what_stands_for_something_stays(arguments):
    trajectory = build_trajectory("On 2025-03-14 at 16:30, window.", "I should fly.", **arguments)
    assert randomize(trajectory) is trajectory


def test_a_trajectory_that_observes_something_stays():
    trajectory = build_trajectory("From Oslo.", "I should fly from Oslo.", origin="Oslo")
    seen = msgspec.structs.replace(
        trajectory, turns=(*trajectory.turns, ToolResult("find_flight", {"of": "Oslo"}))
    )
    assert randomize(trajectory) != trajectory
    assert randomize(seen) is seen


def test_calls_of_the_catalogue_stay_valid_and_grounded_in_their_query():
    changed = 0
    for group in default_data.groups_with_negatives():
        for trajectory in group.trajectories:
            new = value_randomization.randomize_values(
                trajectory, group.tools, random.Random(trajectory.id)
            )
            changed += new is not trajectory
            for before, turn in zip(trajectory.turns, new.turns, strict=True):
                for old, call in zip(
                    *(getattr(t, "calls", ()) for t in (before, turn)), strict=True
                ):
                    assert schema.find_call_problem(call, group.tools) is None
                    for name, value in call.arguments.items():
                        if value != old.arguments[name] and isinstance(value, str):
                            assert value in new.query
    assert changed > 20
