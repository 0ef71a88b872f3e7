"""Check what has to hold before a version goes out: `make gate`. Fails where any of it does not.

`python -m benchmark.compare.gate ANSWERS PROMPTS METRICS TARGET SUITE...` reads METRICS/*.json, and
compares with the version that `gate.against` names; TARGET.md and TARGET.json hold the comparison.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent_tuning.files.metrics_file import DIGITS
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from benchmark.compare import comparison_report
from benchmark.compare.compare_versions import ComparisonPaths, compare, load_version
from benchmark.compare.git_versions import WORKSPACE
from benchmark.compare.paired_tests import CompareConfig
from benchmark.scoring import metrics
from benchmark.scoring.retention import LOSS_SIGN
from benchmark.scoring.score_suites import ScoreConfig


class GateConfig(Record, frozen=True):
    against: str
    parse_error_rate: float
    answered_rate: float
    error: float
    retention: dict[str, float]


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


def run_gates(paths: ComparisonPaths, settings: GateConfig) -> Iterator[GateResult]:
    """Every condition on the metrics of this version alone."""
    for suite in paths.suites:
        values = metrics.read(paths.metrics / f"{suite.name}.json")
        yield from check_answers(suite.name, values, settings)
    general = paths.metrics / "general.json"
    yield from check_retention(metrics.read(general) if general.exists() else {}, settings)


def check_answers(
    suite: str, values: Mapping[str, float], settings: GateConfig
) -> Iterator[GateResult]:
    """The tuned model answered every task, and its answers can be parsed."""
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


def check_regressions(
    against: str,
    paths: ComparisonPaths,
    target: Path,
    scoring: ScoreConfig,
    settings: CompareConfig,
) -> GateResult:
    """Nothing is significantly worse than in the version `against`."""
    limit = f"none since {against}"
    try:
        before, here = (load_version(name, paths, scoring) for name in (against, WORKSPACE))
        comparison = compare(before, here, settings)
    except BadInput as error:
        return GateResult("regressions", limit, f"not comparable: {error}", False)
    comparison_report.write(comparison, target)
    worse = ", ".join(f"{change.suite} {change.metric}" for change in comparison.worse)
    return GateResult("regressions", limit, worse or "none", not worse)


def main(answers: Path, prompts: Path, metrics: Path, target: Path, *suites: Path) -> None:
    settings = config.load("gate", GateConfig)
    paths = ComparisonPaths(answers, prompts, metrics, suites)
    results = list(run_gates(paths, settings))
    if settings.against:
        scoring = config.load("scoring", ScoreConfig)
        comparing = config.load("compare", CompareConfig)
        results.append(check_regressions(settings.against, paths, target, scoring, comparing))
    print("\n".join(result.line for result in results))
    sys.exit(not all(result.passed for result in results))


if __name__ == "__main__":
    cli.run(main)
