"""The report is one page that needs nothing else, and the leaderboard fits a terminal."""

import dataclasses
import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.files import csv_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.training.train_log import TrainStep
from benchmark.compare.gate import GateResult
from benchmark.compare.paired_tests import Comparison, MetricChange
from benchmark.reports import leaderboard, report
from benchmark.reports.results import Results
from benchmark.rollouts import goal_scoring, rollout
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.scoring import retention
from benchmark.scoring.metrics import (
    BreakdownRow,
    compute_breakdown,
    compute_metrics,
    sweep_lambda,
)
from benchmark.scoring.model_differences import ModelDifference, compare_with_tuned
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.retention import RetentionItem
from benchmark.scoring.scorers import Score
from benchmark.scoring.task_score import ScoredAnswer
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episodes

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
        differences=[
            row
            for suite in ("house", "bfcl")
            for row in compare_with_tuned(
                {model: scores for (name, model), scores in rows.items() if name == suite}, 50, 7
            )
        ],
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
    assert "On house, the tuned model decides right in 66.7 % of 60 tasks" in page
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
    assert "of the best rule without a model (lexical)" in page


def test_the_derived_suite_is_never_shown_under_the_name_of_bfcl(
    results: Results, page: str
) -> None:
    assert "<h3>BFCL-derived, 60 tasks</h3>" in page
    assert not re.search(r"<h\d>bfcl", page)
    assert "| BFCL-derived | tuned |" in report.render_markdown(results)


def test_what_the_model_was_not_trained_for_stands_below_under_its_own_heading(
    results: Results,
) -> None:
    page = report.render_html(dataclasses.replace(results, not_trained_for=["bfcl"]))
    heading = page.index("<h2>What this model was not trained for</h2>")
    assert page.index("<h3>house, 60 tasks</h3>") < heading < page.index("<h3>BFCL-derived, 60")
    assert "not trained for" not in report.render_html(results)


def tell(results: Results, **changes: Any) -> str:
    """The verdict and its reasons."""
    return report.render_markdown(dataclasses.replace(results, **changes)).partition("| suite")[0]


def test_a_lead_over_the_best_rule_that_may_be_chance_says_so(results: Results) -> None:
    def compared(difference: float, low: float, high: float, p: float) -> str:
        row = ModelDifference("house", "lexical", 60, 0.37, 0.41, difference, low, high, p)
        return tell(results, differences=[row])

    assert (
        "41.0 % against 37.0 % of the best rule without a model (lexical) is within chance "
        "(p 0.37): no lead is shown." in compared(0.04, -0.02, 0.1, 0.37)
    )
    assert "within chance" in compared(0.04, -0.01, 0.09, 0.04)  # the groups do not say so
    assert "20.0 points above, and not by chance (+10.0 to +30.0, p below 0.001)." in compared(
        0.2, 0.1, 0.3, 0.0001
    )
    assert "20.0 points BELOW, and not by chance" in compared(-0.2, -0.3, -0.1, 0.01)


def test_the_verdict_is_yes_only_if_every_condition_holds(results: Results) -> None:
    held = GateResult("house answered_rate", ">= 1", "1.0", True)
    failed = GateResult("retention of accuracy", "loss <= 0.03", "0.5 to 0.4", False)
    assert "Yes. All 2 conditions of the gate hold." in tell(results, gate=[held, held])
    assert "No. 1 of 2 conditions does not hold: retention of accuracy." in tell(
        results, gate=[held, failed]
    )
    assert "Not decided: no condition was checked." in tell(results)


def test_the_verdict_says_what_became_of_the_version_before(results: Results) -> None:
    def change(verdict: str, difference: float) -> MetricChange:
        spread = (difference, difference - 0.05, difference + 0.05, 0.001)
        return MetricChange("house", "em", 60, 0.7, 0.7 + difference, *spread, 0.004, verdict)

    worse = Comparison("v1", "workspace", (change("worse", -0.1),), (), (0, 0))
    text = tell(results, comparison=worse)
    assert "Since v1, em went from 70.0 % to 60.0 %: worse, and not by chance" in text
    assert "Significantly worse than in v1: house (em)." in text
    same = Comparison("v1", "workspace", (change("same", -0.01),), (), (0, 0))
    text = tell(results, comparison=same)
    assert "from 70.0 % to 69.0 %, within chance" in text
    assert "No metric is significantly worse than in v1." in text
    assert "gate.against in params.yaml is empty" in tell(results)
    assert "cannot be compared with the earlier version: no such tag." in tell(
        results, comparison=BadInput("no such tag")
    )


def test_peoples_mean_is_quoted_only_where_they_agree(results: Results) -> None:
    human = {
        **{"tuned.n": 40, "tuned.mean": 3.9, "tuned.mean_low": 3.5, "tuned.mean_high": 4.2},
        **{"tuned.usable": 0.7, "tuned.veto": 0.1, "people": 2, "rated_twice": 12, "alpha": 0.81},
        **{"judge.tuned.n": 40, "judge.tuned.mean": 4.4, "judge.tuned.mean_low": 4.1},
        **{"judge.tuned.mean_high": 4.6, "judge.tuned.usable": 0.9, "judge.n": 40},
        **{"judge.usable_agreement": 0.85, "judge.alpha": 0.62, "judge.bias": 0.4},
    }
    assert "People rate its answers 3.9 of 5 (40 answers; alpha 0.81)." in tell(
        results, human={**human, "headline": 1}
    )
    assert "too little agreement to quote a mean" in tell(results, human={**human, "headline": 0})
    page = report.render_html(dataclasses.replace(results, human={**human, "headline": 1}))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "agree with Krippendorff's alpha 0.810, which is enough to quote their mean" in text
    assert "judge and people agree on usable or not in 85 %, with alpha 0.620" in text
    assert "tuned 40 3.900 3.500 to 4.200 0.700 0.100 40 4.400 4.100 to 4.600 0.900" in text
    assert "What people and the judge say" not in report.render_html(results)


def test_a_partial_run_is_marked_wherever_its_numbers_stand(results: Results) -> None:
    metrics = {
        suite: {**values, "tuned.error": 0.25, "tuned.n": 60}
        for suite, values in results.metrics.items()
    }
    partial = dataclasses.replace(results, metrics=metrics)
    markdown = report.render_markdown(partial)
    assert markdown.count("tuned (partial: 45 of 60)") == 2
    assert "Partial: 15 tasks have no answer, and count as wrong." in markdown
    assert report.render_html(partial).count("tuned (partial: 45 of 60)") == 2
    lines = leaderboard.build_lines(results.breakdown, partial.unanswered)
    assert "tuned (partial: 45 of 60)" in leaderboard.format_table(lines)
    assert "partial:" not in report.render_markdown(results)


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
    ordered = report.order_wrong_answers([right, other, *wrong])
    assert len(ordered) == len(wrong)
    shown = ordered[:12]
    assert len({(row.suite, row.kind) for row in shown}) == 6
    assert {row.model for row in shown} == {"tuned"}


def test_the_page_says_how_many_wrong_answers_there_are(results: Results, page: str) -> None:
    wrong = sum(row.model == "tuned" and not row.score.em for row in results.scores)
    shown = min(wrong, report.WRONG_ANSWERS_SHOWN)
    assert f"<h2>{shown} of {wrong} wrong answers of the tuned model</h2>" in page


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
