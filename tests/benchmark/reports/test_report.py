"""The report is one page that needs nothing else, and the leaderboard fits a terminal."""

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.files import csv_records, jsonl, metrics_file
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.training.train_log import TrainStep
from benchmark.reports import leaderboard, report
from benchmark.reports.report import Results
from benchmark.rollouts import goal_scoring, rollout
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.scoring import retention
from benchmark.scoring.metrics import (
    BreakdownRow,
    SweepRow,
    compute_breakdown,
    compute_metrics,
    sweep_lambda,
)
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.retention import RetentionItem
from benchmark.scoring.scorers import Score
from benchmark.scoring.signatures import write_signatures
from benchmark.scoring.task_score import ScoredAnswer
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episodes
from stages import report as stage

KINDS = ("call", "on_topic_chat", "missing_argument")


def scored(suite: str, model: str, number: int, **changes: Any) -> ScoredAnswer:
    right = int(model == "tuned" and number % 3 != 0)
    text = 0.5 if suite == "house" else None
    fields: dict[str, Any] = {
        "suite": suite,
        "model": model,
        "task": f"{suite}/{number:02}",
        "group": f"g{number // 2}",
        "kind": KINDS[number % len(KINDS)],
        "language": "en",
        "template": "plain",
        "tool_format": "openai",
        "reply_format": "react",
        "wanted": "call" if number % 2 else "no_call",
        "outcome": Verdict.CALL,
        "score": Score(right, text, right + 0.5 if text else None),
        "axes": {"tool": "seen" if number % 4 else "unseen"} if suite == "house" else {},
        "query": "<script>alert(1)</script> & 查天气",
        "answer": "x" * 1000,
        "reason": "no_call is right, not call",
    }
    return ScoredAnswer(**{**fields, **changes})


@pytest.fixture(scope="module")
def results() -> Results:
    rows = {
        (suite, model): [scored(suite, model, number) for number in range(60)]
        for suite in ("house", "bfcl")
        for model in ("base", "tuned", "lexical", "always_none")
    }
    return Results(
        metrics={suite: suite_metrics(rows, suite) for suite in ("house", "bfcl")},
        noise={"asked": 56, "equal": 0.982143, "em_difference": 0.017857},
        breakdown=[row for scores in rows.values() for row in compute_breakdown(scores, 50, 7)],
        sweep=[row for scores in rows.values() for row in sweep_lambda(scores, (0.0, 0.5, 1.0))],
        scores=[s for (_, model), ss in rows.items() if model in report.MODELS for s in ss],
        train_log=[TrainStep(step, 3 / step, 1e-4, 1.0) for step in range(1, 9)],
        coverage=[
            CoverageRow(tool, scenario, "simple", language, count)
            for tool in ("get_weather", "get_time")
            for scenario in ("plan", "ask")
            for language, count in (("en", 4), ("zh", 0))
        ],
        episodes={
            f"{model}.{name}": value
            for model, rows in played().items()
            for name, value in goal_scoring.compute_metrics(rows, 20, 0).items()
        },
        goals=[row for rows in played().values() for row in rows],
        general=retention.compute_metrics(kept(0.75, 1.25), kept(0.5, 1.5), 20, 0),
        signatures=dict.fromkeys(("house", "bfcl"), "rouge_l|lam:0.5"),
    )


def kept(accuracy: float, bits: float) -> list[RetentionItem]:
    """A model's general ability, of four sentence endings and a dialogue."""
    right = [
        RetentionItem("cloze", str(n), "en", "en", float(n < 4 * accuracy), 1) for n in range(4)
    ]
    return [*right, RetentionItem("dialogue", "d", "en", "en", bits * 80, 80)]


@cache
def played() -> dict[str, list[EpisodeScore]]:
    """A model that is right and one that never acts, in six worlds; one query is hostile."""
    suite = episodes.read(Path("benchmark/suites/episodes")).slice(1, 2)
    first = msgspec.structs.replace(suite.episodes[0], query="<img src=x> & 查天气")
    suite = Episodes(suite.tools, suite.prompts, (first, *suite.episodes[1:]))
    policies = {"base": rollout.noop_policy, "tuned": rollout.oracle_policy}
    return {
        model: list(
            goal_scoring.score_episodes(suite, model, rollout.run_rollouts(suite, policy, 6))
        )
        for model, policy in policies.items()
    }


def suite_metrics(rows: dict[tuple[str, str], list[ScoredAnswer]], suite: str) -> dict[str, float]:
    models = {model: compute_metrics(rows[suite, model]) for model in report.MODELS}
    flat = {f"{model}.{name}": v for model, values in models.items() for name, v in values.items()}
    return flat


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return report.render_html(results)


class Page(HTMLParser):
    """The tags that stay open, and everything a browser would fetch."""

    VOID = ("meta", "br", "img", "link", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    read = Page(page)
    assert read.fetched == []
    assert read.open == []
    assert "script" not in read.tags
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


def test_the_page_says_what_is_noise(page: str) -> None:
    assert "56 questions" in page
    assert "98.2 %" in page
    assert "em differs by 0.018" in page


def test_what_a_model_or_user_said_is_text_and_never_markup(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; 查天气" in page


def test_the_page_has_every_picture_and_says_what_it_shows(page: str) -> None:
    assert page.count("<svg") == 2 + 2 + 2  # gaps and kinds, λ and loss, coverage per language
    assert page.count('<figure role="img" aria-label=') == 6
    assert "On house, the tuned model decides right in 66.7% of the tasks" in page
    assert "2 tools" in page
    assert "4 cells empty" in page


def test_the_page_shows_what_was_done_in_the_worlds(results: Results, page: str) -> None:
    assert "What the models get done in simulated worlds" in page
    assert "pass^2" in page
    longest = max(played()["tuned"], key=lambda row: len(row.steps))
    assert len(longest.steps) > 2
    assert page.count("<b>saw</b>") == len(longest.steps) - 1  # the reply has no observation
    assert "<img src=x>" not in page
    silent = {**results.__dict__, "goals": [], "episodes": {}}
    assert "simulated worlds" not in report.render_html(Results(**silent))


def test_the_page_shows_what_tuning_cost(results: Results, page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"accuracy drop\s+\+0\.250", text)
    assert re.search(r"bits per byte rise\s+\+0\.250", text)
    without = {**results.__dict__, "general": {}}
    assert "general ability" not in report.render_html(Results(**without))


def test_the_coverage_picture_has_a_column_for_every_scenario_simple_ones_first() -> None:
    cells = [
        CoverageRow("get_time", "c", "complex", "en", 1),
        CoverageRow("get_time", "b", "simple", "en", 2),
        CoverageRow("get_time", "a", "simple", "en", 0),
        CoverageRow("add", "x", "simple", "en", 3),
    ]
    points = report._place_coverage(cells)
    assert [(point["scenario"], point["tool"], point["count"]) for point in points] == [
        ("simple 1", "add", 3),
        ("simple 1", "get_time", 0),
        ("simple 2", "get_time", 2),
        ("complex 1", "get_time", 1),
    ]


def test_a_model_after_two_examples_is_no_rule_without_a_model(results: Results) -> None:
    shots = [scored("house", "base_two_shot", number, score=Score(1)) for number in range(60)]
    rows = [*results.breakdown, *compute_breakdown(shots, 50, 7)]
    page = report.render_markdown(Results(**{**results.__dict__, "breakdown": rows}))
    assert "The best rule without a model, lexical, is right" in page


def test_the_derived_suite_is_never_shown_under_the_name_of_bfcl(
    results: Results, page: str
) -> None:
    assert "<h3>BFCL-derived, 60 tasks</h3>" in page
    assert not re.search(r"<h\d>bfcl", page)
    assert "| BFCL-derived | tuned |" in report.render_markdown(results)


def test_half_of_every_interval_stands_beside_it(results: Results, page: str) -> None:
    line = leaderboard.build_lines(results.breakdown)[1]
    assert leaderboard.format_half_width(line) == f"{(line.high - line.low) / 2:.2f}"
    assert f'<td class="range">{leaderboard.format_half_width(line)}</td>' in page


def test_long_answers_are_cut(page: str) -> None:
    assert "x" * report.MAX_ANSWER_CHARS + " …" in page
    assert "x" * (report.MAX_ANSWER_CHARS + 1) not in page


def test_the_page_can_be_dark_and_narrow(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert "currentColor" in page


def test_twelve_wrong_answers_come_from_every_suite_and_kind_in_turn() -> None:
    wrong = [
        scored(suite, "tuned", number, score=Score(0), kind=KINDS[number // 10])
        for suite in ("house", "bfcl")
        for number in range(30)
    ]
    right = scored("house", "tuned", 50, score=Score(1))
    other = scored("house", "base", 50, score=Score(0))
    shown = report.choose_wrong_answers([right, other, *wrong])
    assert len(shown) == 12
    assert len({(row.suite, row.kind) for row in shown}) == 6
    assert {row.model for row in shown} == {"tuned"}


def test_the_same_results_give_the_same_page(results: Results, page: str) -> None:
    assert report.render_html(results) == page


def test_a_run_without_training_has_a_page_without_a_loss_curve(results: Results) -> None:
    fields = {name: getattr(results, name) for name in Results.__dataclass_fields__}
    page = report.render_html(Results(**{**fields, "train_log": [], "coverage": [], "sweep": []}))
    assert "Training loss" not in page
    assert page.count("<svg") == 2


# ---- the leaderboard


def test_the_leaderboard_lines_up_on_a_terminal(results: Results) -> None:
    printed = leaderboard.format_table(leaderboard.build_lines(results.breakdown))
    header, *lines = [line for line in printed.splitlines() if line]
    assert header.split()[:4] == ["suite", "model", "n", "em"]
    assert len(lines) == 8
    assert len({line.index(" to ") for line in lines}) == 1
    assert max(map(len, lines)) <= 120
    assert re.match(r"house  tuned +60  0\.667 +0\.\d\d to 0\.\d\d", lines[1])


def test_the_leaderboard_is_a_markdown_table(results: Results) -> None:
    table = [line for line in report.render_markdown(results).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 8
    assert len({line.count("|") for line in table}) == 1


def test_a_suite_without_descriptions_leaves_their_cells_empty(results: Results) -> None:
    board = {(line.suite, line.model): line for line in leaderboard.build_lines(results.breakdown)}
    assert board["house", "tuned"].score is not None
    assert board["bfcl", "tuned"].score is None
    assert board["bfcl", "tuned"].em_macro == pytest.approx(2 / 3, abs=1e-5)


def test_the_leaderboard_is_a_command(
    results: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    csv_records.write(tmp_path / "breakdown.csv", BreakdownRow, results.breakdown)
    monkeypatch.setattr(sys, "argv", ["leaderboard", str(tmp_path / "breakdown.csv")])
    cli.run(leaderboard.main)
    assert capsys.readouterr().out == leaderboard.format_table(
        leaderboard.build_lines(results.breakdown)
    )


# ---- the stage


def test_the_stage_writes_page_markdown_and_csv(results: Results, tmp_path: Path) -> None:
    paths = write_inputs(results, tmp_path)
    stage.main(*paths)
    html, markdown, table = (path.read_text() for path in paths[-3:])
    assert html == report.render_html(results)
    assert markdown.startswith("# Benchmark")
    assert table.splitlines()[0].startswith("suite,model,n,em,low,high")
    assert len(table.splitlines()) == 1 + 8


def test_a_bad_cell_stops_with_its_place(results: Results, tmp_path: Path) -> None:
    paths = write_inputs(results, tmp_path)
    paths[5].write_text("tool,scenario,complexity,language,count\na,b,simple,en,many\n")
    with pytest.raises(BadInput, match=r"coverage\.csv:2: .*\$\.count"):
        stage.main(*paths)


def write_inputs(results: Results, folder: Path) -> list[Path]:
    """The arguments of the stage, with what it reads written there."""
    metrics = folder / "metrics"
    for suite, values in results.metrics.items():
        metrics_file.write(metrics / f"{suite}.json", values)
    write_signatures(metrics / "signatures.json", results.signatures)
    metrics_file.write(metrics / "rerun_variance.json", results.noise)
    metrics_file.write(metrics / "episodes.json", results.episodes)
    metrics_file.write(metrics / "general.json", results.general)
    names = ["breakdown.csv", "sweep.csv", "scores.jsonl", "train.csv", "coverage.csv"]
    names += ["goals.jsonl", "out/report.html", "out/report.md", "out/board.csv"]
    breakdown, sweep, scores, train_log, coverage, goals, *outputs = (folder / n for n in names)
    csv_records.write(breakdown, BreakdownRow, results.breakdown)
    csv_records.write(sweep, SweepRow, results.sweep)
    jsonl.write(scores, results.scores)
    csv_records.write(train_log, TrainStep, results.train_log)
    csv_records.write(coverage, CoverageRow, results.coverage)
    jsonl.write(goals, results.goals)
    inputs = [metrics, breakdown, sweep, scores, train_log, coverage, goals]
    return [*inputs, *outputs]
