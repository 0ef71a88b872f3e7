"""What may be trained on: each damage is rejected for its own reason."""

import json
import random
from pathlib import Path

import msgspec
import pytest

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import jsonl, yaml_records
from agent_tuning.quality import verify
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.validation import RepetitionFilter, TrajectoryValidator
from agent_tuning.records import (
    Assistant,
    BadInput,
    Call,
    Group,
    Tool,
    ToolResult,
    Trajectory,
    User,
)
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from stages import verify as stage

CATALOGUE = Catalogue(Path("data/catalogue"))
STYLE = WritingStyle(
    seed=1, final_reply_rate=1.0, greeting_rate=0.0, closing_rate=0.0, typo_rate=0.0
)
TEACHER = ScriptedTeacher(CATALOGUE, yaml_records.read(Path("data/phrasing.yaml"), Phrasing), STYLE)
TOOLS = ("get_weather_forecast", "get_current_weather", "get_air_quality")
ITEMS = (
    TrajectoryRequest("get_weather_forecast", "plan_a_day", "simple", 0),
    TrajectoryRequest("get_air_quality", "before_going_out", "complex", 0),
)
SOUND = TEACHER.group(GroupRequest("g0", "g0", "en", TOOLS, ITEMS))


def build_validator(*protected: str) -> TrajectoryValidator:
    return TrajectoryValidator(
        CATALOGUE,
        ContaminationFilter([ProtectedQuery(query, "t", TOOLS) for query in protected], 0.7),
    )


def reject_unsound(groups: list[Group]) -> list[list[verify.Reject]]:
    """The rejects of every group; a whole group has two trajectories."""
    return list(
        verify.reject_groups(
            groups, verify.find_problems(groups, build_validator(), 0.5), positives=2
        )
    )


def with_call(trajectory: Trajectory, call: Call) -> Trajectory:
    """The first call replaced; its observation keeps its content."""
    turns = list(trajectory.turns)
    turns[1] = msgspec.structs.replace(turns[1], calls=(call,))
    turns[2] = msgspec.structs.replace(turns[2], name=call.name)
    return msgspec.structs.replace(trajectory, turns=tuple(turns))


def with_turns(trajectory: Trajectory, *turns: object) -> Trajectory:
    return msgspec.structs.replace(trajectory, turns=tuple(turns))


def test_repetitions_are_those_that_a_memory_of_all_queries_finds():
    rng = random.Random(3)
    words = ["tide", "boat", "berth", "port", "crew", "north", "nine", "please"]
    candidates = sorted(
        verify.Candidate(
            f"{number:03}",
            verify.Position(number, 0),
            " ".join(rng.choices(words, k=rng.randint(2, 5))),
            rng.choice([b"a", b"b", b"c"]),
        )
        for number in range(200)
    )
    memory = RepetitionFilter(0.5)
    expected = {
        one.position: problem
        for one in candidates
        if (problem := memory.find_problem(one.query, one.calls.decode()))
    }
    assert len(expected) > 20
    assert dict(verify.find_repetitions(candidates, 0.5)) == expected


PARAMS = """verify:
  max_rejected: {}
  positives: 2
  near_duplicate: 0.5
decontamination:
  near_benchmark: 0.7
"""
FIRST = SOUND.trajectories[0]
QUERY, DECISION, RESULT, _ = FIRST.turns
NAME, ARGUMENTS = DECISION.calls[0].name, DECISION.calls[0].arguments
DAMAGED = {
    "not_on_menu": with_call(FIRST, Call("get_stock_price", {"ticker": "A"})),
    "undeclared_argument": with_call(FIRST, Call(NAME, ARGUMENTS | {"hour": 3})),
    "missing_argument": with_call(FIRST, Call(NAME, {"city": ARGUMENTS["city"]})),
    "wrong_tool": with_turns(
        FIRST,
        QUERY,
        Assistant("call", calls=(Call("get_air_quality", {"city": ARGUMENTS["city"]}),)),
    ),
    "schema": with_call(FIRST, Call(NAME, ARGUMENTS | {"city": 7})),
    "schema: day": with_call(FIRST, Call(NAME, ARGUMENTS | {"day": "someday"})),
    "ungrounded": with_call(FIRST, Call(NAME, ARGUMENTS | {"city": "Atlantis"})),
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
    problems = [
        build_validator().find_problem(member, SOUND.tools) for member in SOUND.trajectories
    ]
    assert problems == [None, None]


@pytest.mark.parametrize("reason", DAMAGED)
def test_a_damaged_trajectory_is_rejected_for_its_own_reason(reason):
    assert str(build_validator().find_problem(DAMAGED[reason], SOUND.tools)).startswith(reason)


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
    trajectory = Trajectory(
        "t",
        (query, Assistant("call", "Make it.", (Call("create_playlist", arguments),))),
        "call",
        "en",
    )
    assert (build_validator().find_problem(trajectory, [tool]) is None) == sound


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([""], "menu_name: a tool without a name"),
        (["get_time", "get_time"], "menu_name: get_time appears 2 times"),
    ],
)
def test_a_tool_list_has_a_name_for_every_tool_and_each_once(names, problem):
    extra = tuple(Tool(name, "", {"type": "object"}) for name in names)
    assert build_validator().find_problem(FIRST, (*SOUND.tools, *extra)) == problem


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "dict"}, '"dict" is not valid under any of the schemas'),
        ({"type": "array"}, "expected type object"),
        ({"type": "object", "required": ["x"]}, "requires x, which it does not declare"),
    ],
    ids=["a type of another language", "no object", "undeclared"],
)
def test_a_tool_list_has_json_schemas_of_draft_2020_12(schema, problem):
    tools = (*SOUND.tools, Tool("other", "", schema))
    assert str(build_validator().find_problem(FIRST, tools)).startswith(
        f"menu_schema: other: {problem}"
    )


# ---- repetitions

POLITE = with_turns(FIRST, User(f"Hello! {QUERY.text} Thanks."), *FIRST.turns[1:])
LOUDER = with_turns(FIRST, User(QUERY.text.upper() + "!"), *FIRST.turns[1:])


def group_of(name: str, trajectory: Trajectory, id: str) -> Group:
    members = (msgspec.structs.replace(trajectory, id=id),)
    return msgspec.structs.replace(SOUND, id=name, trajectories=members)


@pytest.mark.parametrize(
    ("again", "reason"), [(LOUDER, "duplicate"), (POLITE, "near_duplicate")], ids=["same", "near"]
)
@pytest.mark.parametrize("order", [1, -1], ids=["first id first", "last id first"])
def test_of_two_that_repeat_each_other_the_first_id_stays_in_any_order(again, reason, order):
    groups = [group_of("g1", FIRST, "a"), group_of("g0", again, "b")][::order]
    problems = verify.find_problems(groups, build_validator(), 0.5)
    assert {
        groups[position.group].id: problem.split(":")[0] for position, problem in problems.items()
    } == {"g0": reason}


def test_an_unsound_trajectory_takes_no_sound_one_with_it():
    groups = [group_of("g0", DAMAGED["wrong_observation"], "a"), group_of("g1", FIRST, "b")]
    assert [
        position.group for position in verify.find_problems(groups, build_validator(), 0.5)
    ] == [0]


def test_a_similar_query_with_other_arguments_is_no_repetition():
    items = [
        TrajectoryRequest("get_weather_forecast", "plan_a_day", "simple", n) for n in range(100)
    ]
    groups = [TEACHER.group(GroupRequest("g", "g", "en", TOOLS, tuple(items)))]
    assert verify.find_problems(groups, build_validator(), 0.5) == {}


# ---- the benchmark


def test_a_query_of_the_benchmark_is_rejected():
    assert str(build_validator(QUERY.text).find_problem(FIRST, SOUND.tools)).startswith(
        "benchmark_overlap: exact"
    )


@pytest.mark.parametrize(("shared", "reason"), [(TOOLS, "benchmark_overlap: near"), ((), "None")])
def test_nearly_a_query_of_the_benchmark_is_rejected_with_its_tools(shared, reason):
    words = QUERY.text.split()
    protected = ProtectedQuery(" ".join(words[:3] + words[4:]), "t", shared)  # no 8 in a row left
    problem = TrajectoryValidator(CATALOGUE, ContaminationFilter([protected], 0.6)).find_problem(
        FIRST, SOUND.tools
    )
    assert str(problem).startswith(reason)


# ---- whole groups


def test_a_group_with_a_reject_is_dropped_whole_and_every_reject_has_its_reason():
    broken = msgspec.structs.replace(
        SOUND, id="g1", trajectories=(DAMAGED["schema"], SOUND.trajectories[1])
    )
    (rejects,) = reject_unsound([broken])
    assert [reject.reason for reject in rejects] == ["schema", "incomplete_group"]


@pytest.mark.parametrize("size", [1, 3])
def test_a_group_of_another_size_is_dropped_whole(size):
    members = (*SOUND.trajectories, POLITE)[:size]
    (rejects,) = reject_unsound([msgspec.structs.replace(SOUND, trajectories=members)])
    assert len(rejects) == size
    assert "incomplete_group" in {reject.reason for reject in rejects}


def test_a_sound_group_has_no_rejects():
    assert reject_unsound([SOUND]) == [[]]


@pytest.mark.parametrize(("allowed", "fails"), [(0.4, True), (0.5, False)])
def test_more_rejects_than_allowed_stop_the_stage_after_their_reasons_are_written(
    allowed, fails, tmp_path, monkeypatch
):
    broken = msgspec.structs.replace(
        SOUND, id="g1", trajectories=(DAMAGED["schema"], DAMAGED["ungrounded"])
    )
    catalogue = Path("data/catalogue").resolve()
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS.format(allowed))
    jsonl.write(Path("raw"), [SOUND, broken])
    jsonl.write(Path("protected"), [])
    paths = [Path(name) for name in ("protected", "sound", "rejects", "metrics")]
    if fails:
        with pytest.raises(BadInput, match=r"rejects: 2 of 4 .* verify\.max_rejected = 0\.4"):
            stage.main(Path("raw"), catalogue, *paths)
    else:
        stage.main(Path("raw"), catalogue, *paths)
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
    problem = build_validator().find_problem(Trajectory("t", turns, "call", "en"), tools)
    assert (problem and problem.split(":")[0]) == reason


def test_a_call_that_no_simulator_can_compute_is_rejected_and_no_crash():
    call = Call("get_weekday", {"date": "2026-02-30"})
    turns = (
        User("Which weekday is 2026-02-30?"),
        Assistant("call", calls=(call,)),
        ToolResult(call.name, {"weekday": "Monday"}),
        Assistant("no_call", text="A Monday."),
    )
    tools = (CATALOGUE.entries[call.name].tool("en"),)
    problem = build_validator().find_problem(Trajectory("t", turns, "call", "en"), tools)
    assert str(problem).startswith("impossible: get_weekday: ")


def run(folder: Path, group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stage with a limit of one reject in four."""
    catalogue = Path("data/catalogue").absolute()
    monkeypatch.chdir(folder)
    Path("params.yaml").write_text(PARAMS.format(0.25))
    jsonl.write(Path("raw"), [group])
    jsonl.write(Path("protected"), [ProtectedQuery("Something else", "house/1")])
    outs = (Path("good"), Path("bad"), Path("metrics"))
    stage.main(Path("raw"), catalogue, Path("protected"), *outs)


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
    trajectory = with_turns(
        FIRST, User("Which day is 2026-02-30?"), Assistant("call", calls=(call,))
    )
    assert str(build_validator().find_problem(trajectory, [tool])).startswith(
        "impossible: get_weekday"
    )


def test_observations_are_checked_in_the_order_of_the_calls():
    item = TrajectoryRequest("make_directory", "make_and_move", "complex", 0)
    group = TEACHER.group(GroupRequest("g0", "g0", "en", ("make_directory", "move_file"), (item,)))
    [chain] = group.trajectories
    assert build_validator().find_problem(chain, group.tools) is None
    query, _, _, *rest = chain.turns  # without the folder nothing can be moved into it
    problem = build_validator().find_problem(with_turns(chain, query, *rest), group.tools)
    assert problem == "wrong_observation: move_file"
