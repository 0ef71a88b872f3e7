"""The report: one self-contained HTML page. The wording of the page is in its template."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from agent_tuning.files import atomic_write, csv_records
from agent_tuning.runtime.visible_text import show_controls
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.training.train_log import TrainStep
from benchmark.reports import charts, episode_section, leaderboard, tool_table, verdict
from benchmark.reports.results import LearningPoint, Metrics, Results
from benchmark.reports.verdict import Verdict
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.metrics import (
    AXES,
    DECISIONS,
    FACETS,
    BreakdownRow,
    SweepRow,
    count_confusions,
)
from benchmark.scoring.task_score import ScoredAnswer

MODELS = ("base", "tuned")
SWEPT_MODELS = ("base", "tuned", "lexical", "echo_query", "always_none")
WRONG_ANSWERS_SHOWN = 12
MAX_ANSWER_CHARS = 600  # longer answers are cut on the page


def write(results: Results, html: Path, markdown: Path, table: Path) -> None:
    """Write the page, and the leaderboard as Markdown and as CSV."""
    for path, text in ((html, render_html(results)), (markdown, render_markdown(results))):
        atomic_write.write_text(path, show_controls(text, kept="\n\t"))
    csv_records.write(table, leaderboard.LeaderboardLine, _build_board(results))


def render_html(results: Results) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": leaderboard.format_number,
        "interval": leaderboard.format_interval,
        "suite_title": suite_title,
        "signed": _format_signed,
        "clip": _clip,
        "words": _split_words,
    }
    return environment.get_template("report.html.jinja").render(_build_context(results))


def render_markdown(results: Results) -> str:
    decided = decide(results)
    text = "\n".join(f"- {sentence}" for sentence in decided.sentences)
    table = leaderboard.format_markdown(_build_board(results))
    return f"# May this version be shipped?\n\n{decided.answer}\n\n{text}\n\n{table}"


def decide(results: Results) -> Verdict:
    """The verdict by the suites that the recipe was trained for."""
    released = results.released
    board = [line for line in _build_board(results) if line.suite in released]
    differences = [row for row in results.differences if row.suite in released]
    return verdict.decide(board, differences, results.gate, results.comparison, results.human)


def _build_board(results: Results) -> list[leaderboard.LeaderboardLine]:
    return leaderboard.build_lines(results.breakdown, results.unanswered)


def _build_context(results: Results) -> dict[str, Any]:
    board = _build_board(results)
    suites = list(results.metrics)
    wrong = order_wrong_answers(results.scores)
    return {
        "recipe": results.recipe,
        "base": results.base,
        "verdict": decide(results),
        "gate": results.gate,
        "counts": results.counts,
        "human": results.human,
        "rated": _list_rated(results.human),
        "tools": tool_table.build_tables(results.asked, results.scores),
        "learning": results.validation,
        "learning_charts": _draw_learning(results.validation),
        "header": leaderboard.HEADER,
        "not_trained_for": [name for name in results.not_trained_for if name in suites],
        "differences": {
            name: {row.model: row for row in results.differences if row.suite == name}
            for name in suites
        },
        "boards": {name: [line for line in board if line.suite == name] for name in suites},
        "gaps": {name: _build_gaps(results.breakdown, name) for name in suites},
        "gap_chart": _draw_gaps(results.breakdown),
        "facets": {name: _build_facets(results.breakdown, name) for name in suites},
        "kind_chart": _draw_kinds(results.breakdown),
        "confusions": _build_confusions(results.scores, suites),
        "sweep_chart": _draw_sweep(results.sweep),
        "loss": [results.train_log[0].loss, results.train_log[-1].loss]
        if results.train_log
        else [],
        "loss_chart": _draw_loss(results.train_log),
        "coverage": _summarize_coverage(results.coverage),
        "coverage_charts": _draw_coverage(results.coverage),
        "kept": _pair_retention(results.general),
        "general": results.general,
        "section": episode_section.build_section(results.episodes, results.goals),
        "wrong": wrong[:WRONG_ANSWERS_SHOWN],
        "wrong_count": len(wrong),
        "metrics": {name: _pair_metrics(values) for name, values in results.metrics.items()},
        "noise": results.noise,
        "signatures": {name: results.signatures.get(name, "") for name in suites},
    }


def order_wrong_answers(scores: Iterable[ScoredAnswer]) -> list[ScoredAnswer]:
    """Wrong decisions of the tuned model, from every suite and kind in turn."""
    by_kind: dict[tuple[str, str], list[ScoredAnswer]] = defaultdict(list)
    for row in sorted(scores, key=lambda row: row.task):
        if row.model == "tuned" and not row.score.em:
            by_kind[row.suite, row.kind].append(row)
    rounds = zip_longest(*(rows for _, rows in sorted(by_kind.items())))
    return [row for turn in rounds for row in turn if row]


@dataclass(frozen=True)
class Gap:
    """What a model loses on one axis."""

    axis: str
    model: str
    seen: BreakdownRow
    unseen: BreakdownRow
    gap: BreakdownRow


def _build_gaps(rows: Iterable[BreakdownRow], suite: str) -> list[Gap]:
    """One for each axis that the suite holds out by."""
    by_slice = {(r.slice, r.model, r.value): r for r in rows if r.suite == suite}
    return [
        Gap(axis, model, *(by_slice[name, model, value] for value in ("seen", "unseen", "gap")))
        for axis, name in ((axis, f"axis.{axis}") for axis in AXES)
        for model in MODELS
        if (name, model, "gap") in by_slice
    ]


def _draw_gaps(rows: Iterable[BreakdownRow]) -> Markup | None:
    points = [
        {"axis": _split_words(row.slice.removeprefix("axis.")), "part": row.value, **_pick_em(row)}
        for row in rows
        if row.model == "tuned"
        and row.value in ("seen", "unseen")
        and row.slice.startswith("axis.")
    ]
    return charts.draw_dots(points, "axis", "part", "em of the tuned model") if points else None


def _build_facets(
    rows: Iterable[BreakdownRow], suite: str
) -> dict[str, dict[str, dict[str, BreakdownRow]]]:
    """facet -> value -> model -> row."""
    facets: dict[str, dict[str, dict[str, BreakdownRow]]] = {}
    for row in rows:
        if row.suite == suite and row.slice in FACETS and row.model in MODELS:
            facets.setdefault(row.slice, {}).setdefault(row.value, {})[row.model] = row
    return facets


def _draw_kinds(rows: Sequence[BreakdownRow]) -> Markup | None:
    points = [
        {"kind": _split_words(row.value), "model": row.model, **_pick_em(row)}
        for row in rows
        if row.suite == rows[0].suite and row.slice == "kind" and row.model in MODELS
    ]
    return charts.draw_dots(points, "kind", "model", "em") if points else None


def _pick_em(row: BreakdownRow) -> dict[str, float]:
    return {"em": row.em, "low": row.low, "high": row.high}


def _build_confusions(
    scores: Sequence[ScoredAnswer], suites: Iterable[str]
) -> list[tuple[str, str, dict[str, dict[str, int]]]]:
    """(suite, model, wanted decision -> outcome -> tasks)."""
    tables = []
    for suite in suites:
        for model in MODELS:
            counts = count_confusions(r for r in scores if (r.suite, r.model) == (suite, model))
            table: dict[str, dict[str, int]] = {want: {} for want in DECISIONS}
            for (want, got), count in counts.items():
                table[want][got] = count
            tables.append((suite, model, {w: row for w, row in table.items() if any(row.values())}))
    return tables


def _draw_sweep(rows: Iterable[SweepRow]) -> Markup | None:
    points = [msgspec.structs.asdict(row) for row in rows if row.model in SWEPT_MODELS]
    titles = ("λ", "score = em + λ·text")
    return charts.draw_lines(points, "lam", "score", "model", titles) if points else None


def _draw_loss(log: Sequence[TrainStep]) -> Markup | None:
    points = [{"step": line.step, "loss": line.loss} for line in log]
    return charts.draw_curve(points, "step", "loss", ("step", "loss")) if points else None


def _summarize_coverage(cells: Sequence[CoverageRow]) -> dict[str, int]:
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for cell in cells:
        counts[cell.tool, cell.scenario, cell.language] += cell.count
    return {
        "tools": len({tool for tool, _, _ in counts}),
        "scenarios": len({(tool, scenario) for tool, scenario, _ in counts}),
        "least": min(counts.values(), default=0),
        "empty": sum(count == 0 for count in counts.values()),
    }


def _draw_coverage(cells: Sequence[CoverageRow]) -> dict[str, Markup]:
    """By language; a tool's scenarios are in one row: simple ones first, by name."""
    return {
        language: charts.draw_heatmap(
            _place_coverage([cell for cell in cells if cell.language == language]),
            "scenario",
            "tool",
        )
        for language in sorted({cell.language for cell in cells})
    }


def _place_coverage(cells: Iterable[CoverageRow]) -> list[dict[str, Any]]:
    """One point a cell; `scenario` is its column, such as `simple 2`, in the order of columns."""
    scenarios: dict[tuple[str, str], list[CoverageRow]] = defaultdict(list)
    for cell in sorted(cells, key=lambda cell: cell.scenario):
        scenarios[cell.complexity, cell.tool].append(cell)
    places = [
        (complexity, place, cell)
        for (complexity, _), tool_cells in scenarios.items()
        for place, cell in enumerate(tool_cells, 1)
    ]
    places.sort(key=lambda entry: (entry[0] != "simple", entry[1], entry[2].tool))
    return [
        {"tool": cell.tool, "scenario": f"{complexity} {place}", "count": cell.count}
        for complexity, place, cell in places
    ]


def _draw_learning(rows: Sequence[LearningPoint]) -> dict[str, Markup]:
    """What is shown -> its curve over the steps of training."""
    points = [msgspec.structs.asdict(row) for row in rows]
    named = {
        "loss": ("validation_loss", "loss of a trained token"),
        "right decisions": ("validation_exact", "share of decisions"),
    }
    return {
        name: charts.draw_curve(points, "step", column, ("step", title))
        for name, (column, title) in named.items()
        if points
    }


def _list_rated(human: Metrics) -> list[tuple[str, str]]:
    """Who was rated and by whom, as prefixes of the metrics: ("tuned", "judge.tuned")."""
    versions = sorted(
        name.removesuffix(".n")
        for name in human
        if name.endswith(".n") and not name.startswith("judge")
    )
    return [(version, f"judge.{version}") for version in versions]


def _pair_metrics(values: Metrics) -> list[tuple[str, float | None, float | None]]:
    names = {name.partition(".")[2] for name in values if name.startswith(("base.", "tuned."))}
    names -= {name for name in names if name.startswith("confusion.")}  # a table of its own
    return [
        (name, values.get(f"base.{name}"), values.get(f"tuned.{name}")) for name in sorted(names)
    ]


def _pair_retention(general: Metrics) -> list[tuple[str, float, float]]:
    """General ability of both models: the measures, and each of them by kind."""
    names = sorted(name.removeprefix("base.") for name in general if name.startswith("base."))
    return [(name, general[f"base.{name}"], general[f"tuned.{name}"]) for name in names]


def _format_signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _clip(text: str) -> str:
    return text if len(text) <= MAX_ANSWER_CHARS else f"{text[:MAX_ANSWER_CHARS]} …"


def _split_words(name: str) -> str:
    return name.replace("_", " ")
