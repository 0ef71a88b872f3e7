"""What has to hold before a version goes out: `make gate`. Fails where any of it does not.

`python -m benchmark.compare.gate ANSWERS PROMPTS METRICS TARGET SUITE...` reads METRICS/*.json, and
compares with the version that `gate.against` names; TARGET.md and TARGET.json hold the comparison.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent_tuning.files.metrics_file import DIGITS
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from benchmark.compare import compare_versions, git_versions, paired_tests
from benchmark.compare.compare_versions import ComparisonPaths, ScoringConfig
from benchmark.scoring import metrics
from benchmark.scoring.retention import LOSS_SIGN


class GateConfig(Record, frozen=True):
    against: str
    malformed: float
    coverage: float
    error: float
    retention: dict[str, float]


class GateResult(Record, frozen=True):
    """One condition, and what was found in its place."""

    what: str
    wanted: str
    found: str
    passed: bool

    @property
    def line(self) -> str:
        mark = "passed" if self.passed else "FAILED"
        return f"{mark}  {self.what:<28} {self.wanted:<24} {self.found}"


def check_answers(suite: str, found: Mapping[str, float], p: GateConfig) -> Iterator[GateResult]:
    """The tuned model was heard on every task, and what it said can be read."""
    value = {name: found[f"tuned.{name}"] for name in ("coverage", "error", "malformed")}
    most = {"error": p.error, "malformed": p.malformed}
    covered = value["coverage"] >= p.coverage
    yield GateResult(f"{suite} coverage", f">= {p.coverage}", f"{value['coverage']}", covered)
    for name, limit in most.items():
        yield GateResult(f"{suite} {name}", f"<= {limit}", f"{value[name]}", value[name] <= limit)


def check_retention(found: Mapping[str, float], p: GateConfig) -> Iterator[GateResult]:
    """General ability gets no worse than it may; a metric that was not measured fails."""
    for name, most in p.retention.items():
        what, wanted = f"retention of {name}", f"loss <= {most}"
        base, tuned = found.get(f"base.{name}"), found.get(f"tuned.{name}")
        if base is None or tuned is None:
            yield GateResult(what, wanted, "not measured", False)
        else:
            loss = round(LOSS_SIGN.get(name, -1) * (tuned - base), DIGITS)
            yield GateResult(what, wanted, f"{base} to {tuned}", loss <= most)


def check_regressions(against: str, paths: ComparisonPaths, target: Path) -> GateResult:
    """Nothing is significantly worse than in the version `against`."""
    scoring, p = (
        config.load("score", ScoringConfig),
        config.load("compare", paired_tests.CompareConfig),
    )
    try:
        versus = [
            compare_versions.load_version(name, paths, scoring)
            for name in (against, git_versions.WORKSPACE)
        ]
        found = compare_versions.compare(versus[0], versus[1], p)
    except BadInput as error:
        return GateResult("regressions", f"none since {against}", f"not comparable: {error}", False)
    compare_versions.write(found, target)
    worse = ", ".join(f"{one.suite} {one.metric}" for one in found.worse)
    return GateResult("regressions", f"none since {against}", worse or "none", not worse)


def run_gates(paths: ComparisonPaths, target: Path, p: GateConfig) -> Iterator[GateResult]:
    for suite in paths.suites:
        found = metrics.read(paths.metrics / f"{suite.name}.json")
        yield from check_answers(suite.name, found, p)
    general = paths.metrics / "general.json"
    yield from check_retention(metrics.read(general) if general.exists() else {}, p)
    if p.against:
        yield check_regressions(p.against, paths, target)


def main(answers: Path, prompts: Path, metrics: Path, target: Path, *suites: Path) -> None:
    p = config.load("gate", GateConfig)
    found = list(run_gates(ComparisonPaths(answers, prompts, metrics, suites), target, p))
    print("\n".join(gate.line for gate in found))
    sys.exit(not all(gate.passed for gate in found))


if __name__ == "__main__":
    cli.run(main)
