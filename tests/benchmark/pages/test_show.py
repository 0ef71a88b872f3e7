"""`make show` takes every id that is printed anywhere, and says what it is."""

from pathlib import Path

import pytest

from agent_tuning.files import jsonl
from agent_tuning.quality.verify import Reject
from agent_tuning.records import BadInput, Group
from benchmark.engines.answer import Answer
from benchmark.pages import show
from benchmark.pages.show import Rated
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answers
from benchmark.tasks import suites
from tests.conftest import call
from tests.support import annotation_data

TASK = "house/Oslo"


def write_scored_task(data: Path) -> None:
    """One task that base did not answer, and tuned did right."""
    suite = annotation_data.suite([annotation_data.task("Oslo")])
    suites.write(data / "asked/house", suite)
    (task,) = suite.tasks
    right = {TASK: Answer(TASK, DEGENERATE["gold"](task, suite.prompt(task)))}
    text_scorer = TEXT_SCORERS["rouge_l"]
    rows = [
        *score_answers(suite, "base", {}, text_scorer, 0.5),
        *score_answers(suite, "tuned", right, text_scorer, 0.5),
    ]
    jsonl.write(data / "scores.jsonl", rows)


@pytest.fixture
def data(base: Path, groups: list[Group], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(show, "RATED", Path("sheet.jsonl"))
    folder = Path("data/mine")
    jsonl.write(folder / "mixed.jsonl", groups)
    rejects = [Reject("g9", "near_duplicate", "of call.Oslo1", call("Oslo9"))]
    jsonl.write(folder / "rejects.jsonl", rejects)
    write_scored_task(folder)
    jsonl.write(Path("sheet.jsonl"), [Rated("ab12", TASK, "Sunny.\x1b[31m", ("base", "tuned"))])
    Path("base").symlink_to(base)
    return folder


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("call.Oslo2", ["[get_weather]"]),
        ("g2", ["group g2 of the training data", "call.Oslo2  call: Weather in Oslo2?"]),
        ("call.Oslo9", ["reject call.Oslo9 of group g9", "near_duplicate of call.Oslo1"]),
        (TASK, ["task " + TASK, "gold: ", "base: no answer", "tuned: right"]),
        ("ab12", [f"answer ab12 to {TASK}, by base, tuned", "Sunny.\\x1b[31m"]),
    ],
)
def test_an_id_is_shown_as_what_it_is(
    data: Path, capsys: pytest.CaptureFixture[str], wanted: str, said: list[str]
) -> None:
    show.main(data, Path("base"), Path(wanted))
    printed = capsys.readouterr().out
    assert [text for text in said if text not in printed] == []


def test_without_an_id_the_first_trajectory_is_shown(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show.main(data, Path("base"))
    assert "call.Oslo0" in capsys.readouterr().out


def test_an_unknown_id_says_where_it_was_looked_for(data: Path) -> None:
    with pytest.raises(BadInput, match="'x': no trajectory, group, reject, task, rated answer"):
        show.main(data, Path("base"), Path("x"))


def test_before_the_training_data_the_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mixed.jsonl: no training data yet: run `dvc repro mix`"):
        show.main(tmp_path, tmp_path)
