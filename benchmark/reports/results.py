"""What the report is made of: read from the folders of one recipe."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent_tuning.files import csv_records, jsonl
from agent_tuning.model import provenance
from agent_tuning.records import BadInput, Record
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.training.train_log import TrainStep
from benchmark.compare.compare_versions import ComparisonPaths
from benchmark.compare.gate import (
    GateConfig,
    GateResult,
    check_regressions,
    compare_if_possible,
    run_gates,
)
from benchmark.compare.paired_tests import CompareConfig, Comparison
from benchmark.reports import leaderboard
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.scoring.known_names import VALIDATION
from benchmark.scoring.metrics import BreakdownRow, SweepRow, read
from benchmark.scoring.model_differences import ModelDifference
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.scoring.signatures import read_signatures
from benchmark.scoring.task_score import ScoredAnswer
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

Metrics = Mapping[str, float]


class LearningPoint(Record, frozen=True):
    """A line of validation.csv, which agent_tuning/training/validation.py writes.

    That module needs what trains, and a report does not.
    """

    step: int
    validation_loss: float
    validation_exact: float


@dataclass(frozen=True)
class Results:
    """Everything the page is made of."""

    metrics: Mapping[str, Metrics]  # by suite
    noise: Metrics
    breakdown: Sequence[BreakdownRow]
    differences: Sequence[ModelDifference]
    sweep: Sequence[SweepRow]
    scores: Sequence[ScoredAnswer]
    train_log: Sequence[TrainStep]
    coverage: Sequence[CoverageRow]
    validation: Sequence[LearningPoint] = ()
    episodes: Metrics = field(default_factory=dict)
    goals: Sequence[EpisodeScore] = ()
    general: Metrics = field(default_factory=dict)
    human: Metrics = field(default_factory=dict)
    counts: Metrics = field(default_factory=dict)  # of the training data, and of the training
    signatures: Mapping[str, str] = field(default_factory=dict)  # by suite
    not_trained_for: Sequence[str] = ()  # suites that stand under a heading of their own
    asked: Mapping[str, Suite] = field(default_factory=dict)  # by name
    gate: Sequence[GateResult] = ()
    comparison: Comparison | BadInput | None = None  # with the version that gate.against names
    recipe: str = ""
    base: str = ""  # the model that was tuned, by name

    @property
    def unanswered(self) -> dict[tuple[str, str], int]:
        """Tasks without an answer that count as wrong, by suite and model."""
        return leaderboard.count_unanswered(self.metrics)

    @property
    def released(self) -> list[str]:
        """The suites that the recipe was trained for: those of the gate, the first one first."""
        others = {VALIDATION, *self.not_trained_for}
        return [name for name in self.metrics if name not in others]


def read_results(
    data: Path,
    metrics: Path,
    base: Path,
    not_trained_for: Sequence[str],
    gate: GateConfig,
    scoring: ScoreConfig,
    comparing: CompareConfig,
) -> Results:
    """Read `data/RECIPE`, `metrics/RECIPE` and the base model's folder; check the gate on them.

    Raises BadInput for a file that is missing or damaged; only people's ratings may be missing.
    """
    rows = list(csv_records.read(data / "breakdown.csv", BreakdownRow))
    names = list(dict.fromkeys(row.suite for row in rows))
    ratings = metrics / "human.json"
    counts = (read(metrics / f"{stage}.json") for stage in ("mix", "render", "train"))
    results = Results(
        metrics={name: read(metrics / "suites" / f"{name}.json") for name in names},
        noise=read(metrics / "rerun_variance.json"),
        breakdown=rows,
        differences=list(csv_records.read(data / "differences.csv", ModelDifference)),
        sweep=list(csv_records.read(data / "sweep.csv", SweepRow)),
        scores=list(jsonl.read(data / "scores.jsonl", ScoredAnswer)),
        train_log=list(csv_records.read(data / "train_log.csv", TrainStep)),
        coverage=list(csv_records.read(data / "coverage.csv", CoverageRow)),
        validation=list(csv_records.read(data / "validation.csv", LearningPoint)),
        episodes=read(metrics / "episodes.json"),
        goals=list(jsonl.read(data / "goals.jsonl", EpisodeScore)),
        general=read(metrics / "general.json"),
        human=read(ratings) if ratings.exists() else {},
        counts=dict(ChainMap(*counts)),
        signatures=read_signatures(metrics, names),
        not_trained_for=not_trained_for,
        asked={name: suites.read(data / "asked" / name) for name in names},
        recipe=data.name,
        base=provenance.read(base).name,
    )
    folders = tuple(data / "asked" / name for name in results.released)
    paths = ComparisonPaths(data / "answers", data / "requests.jsonl", metrics, folders)
    released = {name: results.metrics[name] for name in results.released}
    checked = list(run_gates(released, results.general, results.differences, gate))
    if not gate.against:
        return replace(results, gate=checked)
    comparison = compare_if_possible(gate.against, paths, scoring, comparing)
    checked.append(check_regressions(gate.against, comparison))
    return replace(results, gate=checked, comparison=comparison)
