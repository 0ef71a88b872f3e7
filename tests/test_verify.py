"""What may be trained on: each damage is rejected for its own reason."""

import json
from pathlib import Path

import msgspec
import pytest

from stages import verify
from stages.verify import sift
from trajectory import jsonl, yamlfile
from trajectory.catalogue import Catalogue
from trajectory.checks import Checks
from trajectory.phrasing import Phrasing
from trajectory.protected import Fence, Protected
from trajectory.records import Assistant, BadInput, Call, Group, ToolResult, Trajectory, User
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
    "untrainable_end: the last turn": with_turns(
        FIRST, *FIRST.turns[:3], msgspec.structs.replace(FIRST.turns[3], trained=False)
    ),
    "no_query": with_turns(FIRST),
    "not_called": with_turns(FIRST, QUERY, RESULT, FIRST.turns[3]),
}


def test_what_the_teacher_writes_is_sound():
    found = checks()
    assert [found.problem(one, SOUND.tools) for one in SOUND.trajectories] == [None, None]


@pytest.mark.parametrize("reason", DAMAGED)
def test_a_damaged_trajectory_is_rejected_for_its_own_reason(reason):
    assert str(checks().problem(DAMAGED[reason], SOUND.tools)).startswith(reason)


@pytest.mark.parametrize(
    ("arguments", "sound"),
    [
        ({"title": "Run", "genres": ["funk", "soul"], "public": True}, True),
        ({"title": "Run", "genres": ["funk", "opera"], "public": True}, False),
        ({"title": "Run", "genres": ["funk", "soul"], "songs": 1}, False),  # 1 == True in Python
    ],
    ids=["said", "one of a list is not", "a number is no truth value"],
)
def test_every_item_and_every_truth_value_must_be_grounded(arguments, sound):
    tool = CATALOGUE.entries["create_playlist"].tool("en")
    query = User("Make 'Run' with funk and soul, open to everyone.")
    one = Trajectory(
        "t",
        (query, Assistant("call", "Make it.", (Call("create_playlist", arguments),))),
        "call",
        "en",
    )
    assert (checks().problem(one, [tool]) is None) == sound


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


@pytest.mark.parametrize(("allowed", "fails"), [(0.4, True), (0.5, False)])
def test_more_rejects_than_allowed_stop_the_stage_after_their_reasons_are_written(
    allowed, fails, tmp_path, monkeypatch
):
    broken = msgspec.structs.replace(
        SOUND, id="g1", trajectories=(DAMAGED["schema"], DAMAGED["ungrounded"])
    )
    catalogue = Path("data/catalogue").resolve()
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(f"verify:\n  max_rejected: {allowed}\n  positives: 2\n")
    jsonl.write(Path("raw"), [SOUND, broken])
    jsonl.write(Path("protected"), [])
    paths = [Path(name) for name in ("protected", "sound", "rejects", "metrics")]
    if fails:
        with pytest.raises(BadInput, match=r"rejects: 2 of 4 .* verify\.max_rejected = 0\.4"):
            verify.main(Path("raw"), catalogue, *paths)
    else:
        verify.main(Path("raw"), catalogue, *paths)
    reasons = [reject.reason for reject in jsonl.read(Path("rejects"), verify.Reject)]
    assert reasons == ["schema", "ungrounded"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [(25, None), (7.5, None), (5, "ungrounded"), (2.5, "ungrounded"), (7, "ungrounded")],
)
def test_a_number_is_grounded_whole_and_not_as_a_part_of_another(number, reason):
    call = Call("convert_length", {"value": number, "from_unit": "mile", "to_unit": "meter"})
    turns = (User("25 miles, or 7.5, in meters?"), Assistant("call", calls=(call,)))
    tools = (CATALOGUE.entries[call.name].tool("en"),)
    found = checks().problem(Trajectory("t", turns, "call", "en"), tools)
    assert (found and found.split(":")[0]) == reason


def test_a_call_that_no_simulator_can_compute_is_rejected_and_no_crash():
    call = Call("get_weekday", {"date": "2026-02-30"})
    turns = (
        User("Which weekday is 2026-02-30?"),
        Assistant("call", calls=(call,)),
        ToolResult(call.name, {"weekday": "Monday"}),
        Assistant("no_call", text="A Monday."),
    )
    tools = (CATALOGUE.entries[call.name].tool("en"),)
    found = checks().problem(Trajectory("t", turns, "call", "en"), tools)
    assert str(found).startswith("impossible: get_weekday: ")


def run(folder: Path, group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage, with a limit of one reject in four."""
    catalogue = Path("data/catalogue").absolute()
    monkeypatch.chdir(folder)
    Path("params.yaml").write_text("verify: {max_rejected: 0.25, positives: 2}\n")
    jsonl.write(Path("raw"), [group])
    jsonl.write(Path("protected"), [Protected("Something else", "house/1")])
    outs = (Path("good"), Path("bad"), Path("metrics"))
    verify.main(Path("raw"), catalogue, Path("protected"), *outs)


def test_too_many_rejects_fail_and_the_file_gives_each_reason(tmp_path, monkeypatch):
    broken = msgspec.structs.replace(
        SOUND, trajectories=(DAMAGED["schema"], SOUND.trajectories[1])
    )  # fmt: skip
    with pytest.raises(BadInput, match="bad: 2 of 2 trajectories rejected, more than"):
        run(tmp_path, broken, monkeypatch)
    reasons = [reject.reason for reject in jsonl.read(tmp_path / "bad", verify.Reject)]
    assert reasons == ["schema", "incomplete_group"]


def test_the_stage_keeps_what_is_sound_and_counts(tmp_path, monkeypatch):
    run(tmp_path, SOUND, monkeypatch)
    assert list(jsonl.read(tmp_path / "good", Group)) == [SOUND]
    counts = json.loads((tmp_path / "metrics").read_text())
    assert counts == {"groups": 1, "rejected": 0, "trajectories": 2}


def test_a_call_that_no_tool_can_answer_is_rejected_though_it_fits_its_schema():
    tool = CATALOGUE.entries["get_weekday"].tool("en")
    call = Call("get_weekday", {"date": "2026-02-30"})
    one = with_turns(FIRST, User("Which day is 2026-02-30?"), Assistant("call", calls=(call,)))
    assert str(checks().problem(one, [tool])).startswith("impossible: get_weekday")


def test_observations_are_checked_in_the_order_of_the_calls():
    item = Item("make_directory", "make_and_move", "complex", 0)
    group = TEACHER.group(Request("g0", "en", ("make_directory", "move_file"), (item,)))
    [chain] = group.trajectories
    assert checks().problem(chain, group.tools) is None
    query, _, _, *rest = chain.turns  # without the folder nothing can be moved into it
    found = checks().problem(with_turns(chain, query, *rest), group.tools)
    assert found == "wrong_observation: move_file"
