"""The validation examples as a suite: the same prompts and turns, asked for the last decision."""

from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Assistant, Call, Group, Trajectory, User
from benchmark.engines.answer import Answer
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answers
from benchmark.sources.validation_suite import build_suite
from benchmark.tasks import suites
from benchmark.tasks.suites import Gold, GoldCall, Suite
from stages import validation_suite as stage
from tests.conftest import CLOCK, WEATHER, call, prompt_in, remark

ASKED = Trajectory(
    "ask.1",
    (
        User("Weather?"),
        Assistant("ask", "Ask for the city.", text="Where?"),
        User("In Bergen."),
        Assistant("call", "Look up Bergen.", (Call("get_weather", {"city": "Bergen"}),)),
    ),
    "follow_up",
    "en",
)
GROUPS = [
    Group("g1", prompt_in(NATIVE), (call("Oslo"), call("Rome", answered=True))),
    Group("g2", msgspec.structs.replace(prompt_in(NATIVE), id="q"), (ASKED, remark("Fog again."))),
]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """As the stage writes it and every reader of a suite reads it."""
    folder = tmp_path_factory.mktemp("data")
    jsonl.write(folder / "validation.jsonl", GROUPS)
    stage.main(folder / "validation.jsonl", folder / "validation")
    return suites.read(folder / "validation")


def test_every_trajectory_is_a_task_under_its_own_prompt(suite: Suite) -> None:
    assert suite.name == "validation"
    written = {one.id: (one, group) for group in GROUPS for one in group.trajectories}
    assert {task.id for task in suite.tasks} == written.keys()
    for task in suite.tasks:
        trajectory, group = written[task.id]
        assert task.turns == trajectory.turns[:-1]
        assert task.kind == trajectory.kind
        assert suite.prompt(task) == group.prompt


def test_the_gold_is_the_last_decision_with_its_values_alone(suite: Suite) -> None:
    golds = {task.id: task.golds for task in suite.tasks}
    bergen = GoldCall("get_weather", {"city": ("Bergen",)})
    assert golds["ask.1"] == (Gold("call", "Look up Bergen.", (bergen,)),)
    assert golds["call.Rome"] == (Gold("no_call", "Tell the user."),)
    assert golds["remark.Fog again."] == (Gold("no_call", "Reply."),)


def test_what_the_examples_say_is_right(suite: Suite) -> None:
    write = REPLY_FORMATS[NATIVE].write
    last_turns = {one.id: one.turns[-1] for group in GROUPS for one in group.trajectories}
    answers = {id: Answer(id, write(turn)) for id, turn in last_turns.items()}
    rows = list(score_answers(suite, "written", answers, TEXT_SCORERS["rouge_l"], 0.5))
    assert len(rows) == len(suite.tasks)
    assert {row.score.em for row in rows} == {1.0}
    assert {row.score.call_exact_match for row in rows if row.wanted == "call"} == {1.0}


def test_tools_that_share_a_name_stay_the_tools_of_their_prompts(tmp_path: Path) -> None:
    other = msgspec.structs.replace(WEATHER, description="Weather at sea.")
    prompt = msgspec.structs.replace(prompt_in(NATIVE), id="sea", tools=(CLOCK, other))
    groups = [*GROUPS, Group("g3", prompt, (call("Skagen"),))]
    suites.write(tmp_path, build_suite("validation", groups))
    read = suites.read(tmp_path)
    assert read.specs["p"].tools == (WEATHER, CLOCK)
    assert read.specs["sea"].tools == (CLOCK, other)
    assert read.tools.keys() == {"get_weather", "get_time", "get_weather@2"}


def test_without_examples_the_suite_is_empty(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "none.jsonl", [])
    stage.main(tmp_path / "none.jsonl", tmp_path / "validation")
    assert suites.read(tmp_path / "validation").tasks == ()
