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
from benchmark.compare.compare_versions import Paths, Scoring
from benchmark.scoring import metrics
from benchmark.scoring.retention import WORSE


class Params(Record, frozen=True):
    against: str
    malformed: float
    coverage: float
    error: float
    retention: dict[str, float]


class Gate(Record, frozen=True):
    """One condition, and what was found in its place."""

    what: str
    wanted: str
    found: str
    passed: bool

    @property
    def line(self) -> str:
        mark = "passed" if self.passed else "FAILED"
        return f"{mark}  {self.what:<28} {self.wanted:<24} {self.found}"


def answered(suite: str, found: Mapping[str, float], p: Params) -> Iterator[Gate]:
    """The tuned model was heard on every task, and what it said can be read."""
    value = {name: found[f"tuned.{name}"] for name in ("coverage", "error", "malformed")}
    most = {"error": p.error, "malformed": p.malformed}
    covered = value["coverage"] >= p.coverage
    yield Gate(f"{suite} coverage", f">= {p.coverage}", f"{value['coverage']}", covered)
    for name, limit in most.items():
        yield Gate(f"{suite} {name}", f"<= {limit}", f"{value[name]}", value[name] <= limit)


def retained(found: Mapping[str, float], p: Params) -> Iterator[Gate]:
    """General ability gets no worse than it may; a metric that was not measured fails."""
    for name, most in p.retention.items():
        what, wanted = f"retention of {name}", f"loss <= {most}"
        base, tuned = found.get(f"base.{name}"), found.get(f"tuned.{name}")
        if base is None or tuned is None:
            yield Gate(what, wanted, "not measured", False)
        else:
            loss = round(WORSE.get(name, -1) * (tuned - base), DIGITS)
            yield Gate(what, wanted, f"{base} to {tuned}", loss <= most)


def unbeaten(against: str, paths: Paths, target: Path) -> Gate:
    """Nothing is significantly worse than in the version `against`."""
    scoring, p = config.load("score", Scoring), config.load("compare", paired_tests.Params)
    try:
        versus = [
            compare_versions.load(name, paths, scoring)
            for name in (against, git_versions.WORKSPACE)
        ]
        found = compare_versions.compare(versus[0], versus[1], p)
    except BadInput as error:
        return Gate("regressions", f"none since {against}", f"not comparable: {error}", False)
    compare_versions.write(found, target)
    worse = ", ".join(f"{one.suite} {one.metric}" for one in found.worse)
    return Gate("regressions", f"none since {against}", worse or "none", not worse)


def gates(paths: Paths, target: Path, p: Params) -> Iterator[Gate]:
    for suite in paths.suites:
        found = metrics.read(paths.metrics / f"{suite.name}.json")
        yield from answered(suite.name, found, p)
    general = paths.metrics / "general.json"
    yield from retained(metrics.read(general) if general.exists() else {}, p)
    if p.against:
        yield unbeaten(p.against, paths, target)


def main(answers: Path, prompts: Path, metrics: Path, target: Path, *suites: Path) -> None:
    p = config.load("gate", Params)
    found = list(gates(Paths(answers, prompts, metrics, suites), target, p))
    print("\n".join(gate.line for gate in found))
    sys.exit(not all(gate.passed for gate in found))


if __name__ == "__main__":
    cli.run(main)
