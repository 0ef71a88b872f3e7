"""What somebody decides who reads the first screen alone, on three versions; and what stands there.

A model at the level of chance, a specialist, and a specialist that got worse: each is scored and
reported by the stages themselves, on the tasks of the shop's suites.
"""

import re
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput
from benchmark.compare import gate
from benchmark.engines.answer import Answer
from tests.support import report_data
from tests.support.report_data import DATA, METRICS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository whose version `v1` is the specialist."""
    folder = tmp_path_factory.mktemp("project")
    with chdir(folder):
        report_data.start_repository()
        report_data.write_version(report_data.SPECIALIST)
        report_data.run_report()
        report_data.commit("v1")
        yield folder


def read_first_screen(folder: Path) -> str:
    """The answer and its reasons, without the table below them."""
    return (folder / "report.md").read_text().partition("| suite")[0]


def test_the_specialist_may_be_shipped_and_its_lead_is_no_chance(project: Path) -> None:
    text = read_first_screen(project / "report/specialist")
    assert "Yes. All 10 conditions of the gate hold." in text
    assert re.search(r"94\.1 % against 23\.5 % of the best rule .* and not by chance", text)
    assert "of the base model after two worked examples" in text


def test_a_model_at_the_level_of_chance_may_not_and_no_lead_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_data.write_version(report_data.CHANCE)
    text = read_first_screen(report_data.run_report())
    assert "No. 1 of 10 conditions does not hold: shop em over always none." in text
    assert re.search(r"is within chance \(p 0\.\d\d\): no lead is shown", text)


@pytest.mark.usefixtures("project")
def test_a_specialist_that_got_worse_may_not_though_it_beats_every_rule() -> None:
    report_data.write_version(report_data.WORSE, against="v1")
    text = read_first_screen(report_data.run_report())
    assert "No. 1 of 11 conditions does not hold: regressions." in text
    assert re.search(r"Since v1, em went from 94\.1 % to 82\.4 %: worse, and not by chance", text)
    assert "Significantly worse than in v1: shop, freely worded (em" in text


@pytest.mark.usefixtures("project")
def test_a_version_that_cannot_be_compared_fails_and_says_why() -> None:
    report_data.write_params(against="v0")
    text = read_first_screen(report_data.run_report())
    assert "cannot be compared with the earlier version: v0: unknown Git revision 'v0'" in text
    assert "regressions" in text.splitlines()[2]


@pytest.mark.usefixtures("project")
def test_the_same_results_give_the_same_page_and_what_differs_is_beside_it() -> None:
    folder = report_data.run_report()
    names = ("index.html", "report.md", "leaderboard.csv")
    before = [(folder / name).read_bytes() for name in names]
    run = (folder / "run.html").read_text()
    report_data.run_report()
    assert [(folder / name).read_bytes() for name in names] == before
    assert all(f"<dt>{name}</dt>" in run for name in ("commit", "written", "training", "machine"))
    assert "UTC" not in before[0].decode()
    assert 'data="run.html"' in before[0].decode()


@pytest.mark.usefixtures("project")
def test_every_tool_says_what_was_called_in_its_place() -> None:
    report_data.write_version(report_data.WORSE)
    page = (report_data.run_report() / "index.html").read_text()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(r"checkout \d+ 0\.\d{3} (a question back|no call|\w+) \d+,", text)


def run_gate(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `make gate` prints of each condition."""
    capsys.readouterr()
    paths = [DATA / "differences.csv", DATA / "answers", DATA / "requests.jsonl", METRICS]
    with pytest.raises(SystemExit):
        gate.main(*paths, Path("report/compare"), DATA / "asked/shop", DATA / "asked/shop_drafted")
    lines = capsys.readouterr().out.splitlines()
    return {line[8:37].strip(): line[:8] + line[37:] for line in lines}


@pytest.mark.usefixtures("project")
def test_the_gate_notices_answers_that_were_cut_after_scoring(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report_data.write_version(report_data.SPECIALIST)
    assert all(line.startswith("passed") for line in run_gate(capsys).values())
    file = DATA / "answers/tuned.jsonl"
    answers = list(jsonl.read(file, Answer))
    shop = [answer for answer in answers if answer.task.startswith("shop/")]
    jsonl.write(file, [answer for answer in answers if answer not in shop[:24]])
    line = run_gate(capsys)["shop answers"]
    assert line.startswith("FAILED")
    assert "300 of 324" in line
    assert "run `dvc repro`" in line
    file.unlink()
    assert "tuned.jsonl: no such file; run `make repro`" in run_gate(capsys)["shop answers"]


@pytest.mark.usefixtures("project")
def test_a_damaged_table_stops_with_its_place() -> None:
    table = DATA / "coverage.csv"
    before = table.read_bytes()
    table.write_text("tool,scenario,complexity,language,count\na,b,simple,en,many\n")
    with pytest.raises(BadInput, match=r"coverage\.csv:2: .*\$\.count"):
        report_data.run_report()
    table.write_bytes(before)
