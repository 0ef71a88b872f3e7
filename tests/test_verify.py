"""What may be trained on: each damage is rejected for its own reason."""

from pathlib import Path

import msgspec
import pytest

from stages.verify import sift
from trajectory import yamlfile
from trajectory.catalogue import Catalogue
from trajectory.checks import Checks
from trajectory.phrasing import Phrasing
from trajectory.protected import Fence
from trajectory.records import Assistant, Call, Group, ToolResult, Trajectory, User
from trajectory.teachers import Item, Request
from trajectory.teachers.scripted import Scripted, Style

CATALOGUE = Catalogue(Path("data/catalogue"))
STYLE = Style(seed=1, replies=1.0, opened=0.0, closed=0.0, mistyped=0.0)
TEACHER = Scripted(CATALOGUE, yamlfile.read(Path("data/phrasing.yaml"), Phrasing), STYLE)
MENU = ("get_weather_forecast", "get_current_weather", "get_air_quality")
ITEMS = (
    Item("get_weather_forecast", "plan_a_day", "simple", 0),
    Item("get_air_quality", "before_going_out", "complex", 0),
)
SOUND = TEACHER.group(Request("g0", "en", MENU, ITEMS))


def checks(*protected: str) -> Checks:
    return Checks(CATALOGUE, Fence(protected))


def with_call(trajectory: Trajectory, call: Call) -> Trajectory:
    """The first call replaced, and what the simulator said to it left as it was."""
    turns = list(trajectory.turns)
    turns[1] = msgspec.structs.replace(turns[1], calls=(call,))
    turns[2] = msgspec.structs.replace(turns[2], name=call.name)
    return msgspec.structs.replace(trajectory, turns=tuple(turns))


def with_turns(trajectory: Trajectory, *turns: object) -> Trajectory:
    return msgspec.structs.replace(trajectory, turns=tuple(turns))


FIRST = SOUND.trajectories[0]
QUERY, DECISION, RESULT, _ = FIRST.turns
NAME, GIVEN = DECISION.calls[0].name, DECISION.calls[0].arguments
DAMAGED = {
    "not_on_menu": with_call(FIRST, Call("get_stock_price", {"ticker": "A"})),
    "undeclared_argument": with_call(FIRST, Call(NAME, GIVEN | {"hour": 3})),
    "schema": with_call(FIRST, Call(NAME, {"city": GIVEN["city"]})),
    "schema: day": with_call(FIRST, Call(NAME, GIVEN | {"day": "someday"})),
    "ungrounded": with_call(FIRST, Call(NAME, GIVEN | {"city": "Atlantis"})),
    "wrong_observation": with_turns(
        FIRST, QUERY, DECISION, ToolResult(NAME, {"sky": "green"}), FIRST.turns[3]
    ),
    "no_observation": with_turns(
        FIRST, QUERY, DECISION, Assistant("no_call", "Tell the user.", text="Fine.")
    ),
    "untrainable_end": with_turns(FIRST, QUERY, DECISION, RESULT),
}


def test_what_the_teacher_writes_is_sound():
    found = checks()
    assert [found.problem(one, SOUND.tools) for one in SOUND.trajectories] == [None, None]


@pytest.mark.parametrize("reason", DAMAGED)
def test_a_damaged_trajectory_is_rejected_for_its_own_reason(reason):
    assert str(checks().problem(DAMAGED[reason], SOUND.tools)).startswith(reason)


def test_the_same_query_twice_is_a_duplicate():
    found = checks()
    found.problem(FIRST, SOUND.tools)
    louder = with_turns(FIRST, User(QUERY.text.upper() + "!"), *FIRST.turns[1:])
    assert str(found.problem(louder, SOUND.tools)).startswith(("duplicate", "ungrounded"))


def test_a_query_of_the_benchmark_is_rejected():
    assert str(checks(QUERY.text).problem(FIRST, SOUND.tools)).startswith(
        "benchmark_overlap: exact"
    )


def test_a_group_with_a_reject_is_dropped_whole_and_every_reject_has_its_reason():
    broken = msgspec.structs.replace(
        SOUND, id="g1", trajectories=(DAMAGED["schema"], SOUND.trajectories[1])
    )
    sound, rejects = sift([broken], checks(), positives=2)
    assert sound == []
    assert [reject.reason for reject in rejects] == ["schema", "incomplete_group"]


def test_sound_groups_pass_unchanged():
    sound, rejects = sift([SOUND], checks(), positives=2)
    assert (sound, rejects) == ([SOUND], [])
    assert isinstance(sound[0], Group)
