"""Check what has to hold before a version goes out: `make gate`. Fails where any of it does not.

`python -m benchmark.compare.gate DIFFERENCES ANSWERS PROMPTS METRICS TARGET SUITE...` reads METRICS
and the paired tests of DIFFERENCES, scores ANSWERS anew to see that they are those of METRICS, and
compares with the version that `gate.against` names; TARGET.md and TARGET.json hold the comparison.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from agent_tuning.files import csv_records
from agent_tuning.files.metrics_file import DIGITS
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import Share, Weight
from benchmark import missing_step
from benchmark.compare import comparison_report
from benchmark.compare.compare_versions import (
    ComparisonPaths,
    compare,
    load_versions,
)
from benchmark.compare.git_versions import WORKSPACE
from benchmark.compare.paired_tests import CompareConfig, Comparison
from benchmark.scoring import metrics
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.model_differences import ModelDifference
from benchmark.scoring.retention import LOSS_SIGN
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import read_answers, score_answers
from benchmark.tasks import suites as suite_files

Metrics = Mapping[str, float]
MEASURED = ("answered_rate", "error", "parse_error_rate")


class GateConfig(Record, frozen=True):
    against: str
    parse_error_rate: Share
    answered_rate: Share
    error: Share
    retention: dict[str, Weight]


class GateResult(Record, frozen=True):
    """One condition, and what was measured."""

    condition: str
    limit: str
    measured: str
    passed: bool

    @property
    def line(self) -> str:
        mark = "passed" if self.passed else "FAILED"
        return f"{mark}  {self.condition:<28} {self.limit:<24} {self.measured}"


def run_gates(
    suites: Mapping[str, Metrics],
    general: Metrics,
    differences: Iterable[ModelDifference],
    settings: GateConfig,
) -> Iterator[GateResult]:
    """Every condition on this version alone. The first of the suites must show a lead."""
    for suite, values in suites.items():
        yield from check_answers(suite, values, settings)
    first = next(iter(suites), "")
    yield from check_lead(first, [row for row in differences if row.suite == first])
    yield from check_retention(general, settings)


def choose_rivals(differences: Sequence[ModelDifference]) -> list[ModelDifference]:
    """Of one suite: the best rule, and the base model after two examples or else without."""
    rules = [row for row in differences if row.model in BASELINES]
    untuned = {row.model: row for row in differences if row.model in ("base", "base_two_shot")}
    best = max(rules, key=lambda row: row.em, default=None)
    before = untuned.get("base_two_shot", untuned.get("base"))
    return [row for row in (best, before) if row]


def check_lead(suite: str, differences: Sequence[ModelDifference]) -> Iterator[GateResult]:
    """The tuned model beats what costs nothing, and not by chance."""
    limit = "above, beyond chance"
    rivals = choose_rivals(differences)
    if not rivals:
        yield GateResult(f"{suite} em", limit, "not measured", False)
    for row in rivals:
        measured = f"{row.difference:+.3f}, p {row.p:.2g}"
        is_ahead = row.difference > 0 and not row.may_be_chance
        yield GateResult(f"{suite} em over {row.model}", limit, measured, is_ahead)


def check_scored(paths: ComparisonPaths, scoring: ScoreConfig) -> Iterator[GateResult]:
    """The answers that lie here are those that were scored: none were lost or changed since."""
    file = paths.answers / "tuned.jsonl"
    answers = read_answers(file) if file.exists() else {}
    for suite in map(suite_files.read, paths.suites):
        condition, limit = f"{suite.name} answers", "those that were scored"
        text_scorer = TEXT_SCORERS[scoring.text_scorer]
        rows = list(score_answers(suite, "tuned", answers, text_scorer, scoring.lam))
        here = metrics.compute_metrics(rows)
        scored = metrics.read(paths.metrics / "suites" / f"{suite.name}.json")
        changed = [name for name, value in here.items() if scored.get(f"tuned.{name}") != value]
        found = f"{sum(not row.missing for row in rows)} of {len(rows)}"
        if not file.exists():
            found = f"{file}: no such file; run `make repro`, or `dvc pull`"
        elif changed:
            found += f", and {len(changed)} metrics differ; run `dvc repro`"
        yield GateResult(condition, limit, found, not changed)


def check_answers(
    suite: str, values: Mapping[str, float], settings: GateConfig
) -> Iterator[GateResult]:
    """The tuned model answered every task, and its answers can be parsed."""
    missing = [name for name in MEASURED if f"tuned.{name}" not in values]
    if missing:
        yield GateResult(f"{suite} {missing[0]}", "a number", "not measured", False)
        return
    answered = values["tuned.answered_rate"]
    passed = answered >= settings.answered_rate
    yield GateResult(
        f"{suite} answered_rate", f">= {settings.answered_rate}", f"{answered}", passed
    )
    for name, limit in {
        "error": settings.error,
        "parse_error_rate": settings.parse_error_rate,
    }.items():
        value = values[f"tuned.{name}"]
        yield GateResult(f"{suite} {name}", f"<= {limit}", f"{value}", value <= limit)


def check_retention(values: Mapping[str, float], settings: GateConfig) -> Iterator[GateResult]:
    """General ability gets no worse than it may; a metric that was not measured fails."""
    for name, most in settings.retention.items():
        condition, limit = f"retention of {name}", f"loss <= {most}"
        base, tuned = values.get(f"base.{name}"), values.get(f"tuned.{name}")
        if base is None or tuned is None:
            yield GateResult(condition, limit, "not measured", False)
        else:
            loss = round(LOSS_SIGN.get(name, -1) * (tuned - base), DIGITS)
            yield GateResult(condition, limit, f"{base} to {tuned}", loss <= most)


def check_regressions(against: str, comparison: Comparison | BadInput) -> GateResult:
    """Nothing is significantly worse than in the version `against`."""
    limit = f"none since {against}"
    if isinstance(comparison, BadInput):
        return GateResult("regressions", limit, f"not comparable: {comparison}", False)
    worse = ", ".join(f"{change.suite} {change.metric}" for change in comparison.worse)
    return GateResult("regressions", limit, worse or "none", not worse)


def compare_if_possible(
    against: str, paths: ComparisonPaths, scoring: ScoreConfig, settings: CompareConfig
) -> Comparison | BadInput:
    """This version beside `against`, or why they do not compare."""
    try:
        before, here = load_versions((against, WORKSPACE), paths, scoring)
        return compare(before, here, settings)
    except BadInput as error:
        return error


def main(
    differences: Path,
    answers: Path,
    prompts: Path,
    measured: Path,
    target: Path,
    *suites: Path,
) -> None:
    if not suites:
        raise BadInput(
            "params.yaml: build_requests.groups: no suite to release by; see docs/suites.md"
        )
    missing_step.expect(differences, "scores", "make repro")
    settings, scoring = config.load("gate", GateConfig), config.load("scoring", ScoreConfig)
    paths = ComparisonPaths(answers, prompts, measured, suites)
    values = {
        suite.name: metrics.read(measured / "suites" / f"{suite.name}.json") for suite in suites
    }
    general = measured / "general.json"
    tested = csv_records.read(differences, ModelDifference)
    results = list(
        run_gates(values, metrics.read(general) if general.exists() else {}, tested, settings)
    )
    results += check_scored(paths, scoring)
    if settings.against:
        comparing = config.load("compare", CompareConfig)
        comparison = compare_if_possible(settings.against, paths, scoring, comparing)
        if isinstance(comparison, Comparison):
            comparison_report.write(comparison, target)
        results.append(check_regressions(settings.against, comparison))
    print("\n".join(result.line for result in results))
    sys.exit(not all(result.passed for result in results))


if __name__ == "__main__":
    cli.run(main)
