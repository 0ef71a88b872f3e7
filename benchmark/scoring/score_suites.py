"""Score the answers of every model, and of every baseline, to every suite. No model runs here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.progress import Progress
from agent_tuning.runtime.ranges import AtLeastOne, NonEmpty, Seed, Share
from benchmark.engines.answer import Answer
from benchmark.scoring import metrics
from benchmark.scoring.baselines import BASELINES, Baseline
from benchmark.scoring.known_names import MODELS, MODELS_ASKED_EVERYTHING, SUITES, sort_names
from benchmark.scoring.metrics import BreakdownRow, SweepRow
from benchmark.scoring.model_differences import ModelDifference, compare_with_tuned
from benchmark.scoring.scorers import TEXT_SCORERS, scorer_signature
from benchmark.scoring.task_score import Answers, ScoredAnswer, read_answers, score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite


class ScoreConfig(Record, frozen=True):
    lam: Share
    text_scorer: Literal["rouge_l", "bleu"]
    bootstrap: AtLeastOne
    seed: Seed
    sweep: NonEmpty[Share]


@dataclass
class SuiteScores:
    """What one suite gave: `answers` and `metrics` of the models, tables of the baselines too."""

    suite: str
    signature: str
    answers: list[ScoredAnswer] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)  # `<model>.<metric>`
    breakdown: list[BreakdownRow] = field(default_factory=list)
    differences: list[ModelDifference] = field(default_factory=list)
    sweep: list[SweepRow] = field(default_factory=list)


def score_suites(
    suites_folder: Path, answers_folder: Path, config: ScoreConfig
) -> list[SuiteScores]:
    """Score all models (`<answers_folder>/<model>.jsonl`) on all suites (folders of the other).

    Suites and models come in the order of `known_names`. A model that answered no task of a suite
    is left out of it, unless it is one of MODELS_ASKED_EVERYTHING.
    """
    loaded = [suites.read(folder) for folder in find_suites(suites_folder)]
    known = {task.id for suite in loaded for task in suite.tasks}
    models = {path.stem: read_answers(path, known) for path in find_answers(answers_folder)}
    progress, results = Progress("score", len(loaded)), []
    for suite in loaded:
        results.append(score_suite(suite, select_models(suite, models), config))
        progress.show(len(results), suite.name)
    return results


def score_suite(suite: Suite, models: Mapping[str, Answers], config: ScoreConfig) -> SuiteScores:
    """Score `models`, then the baselines, each on every task of the suite."""
    scores = SuiteScores(suite.name, build_signature(suite, config))
    by_model: dict[str, list[ScoredAnswer]] = {}
    for model, answers in models.items():
        scored = by_model[model] = list(_score_model(suite, model, answers, config))
        rows = _add_tables(scores, scored, config)
        values = {**metrics.compute_metrics(scored), **metrics.collect_intervals(rows)}
        scores.metrics |= {f"{model}.{name}": value for name, value in values.items()}
        scores.answers += scored
    for name, rule in BASELINES.items():
        scored = by_model[name] = list(
            _score_model(suite, name, answer_by_rule(suite, rule), config)
        )
        _add_tables(scores, scored, config)
    scores.differences += compare_with_tuned(by_model, config.bootstrap, config.seed)
    return scores


def find_suites(folder: Path) -> list[Path]:
    """The folders in `folder` that hold a `tasks.jsonl`, in the order of `known_names`."""
    names = {path.parent.name for path in folder.glob("*/tasks.jsonl")}
    if not names:
        raise BadInput(f"{folder}: no suites: expected folders with a tasks.jsonl")
    return [folder / name for name in sort_names(names, SUITES)]


def find_answers(folder: Path) -> list[Path]:
    """The files `<model>.jsonl` in `folder`, in the order of `known_names`."""
    names = {path.stem for path in folder.glob("*.jsonl")}
    for name in MODELS_ASKED_EVERYTHING:
        if name not in names:
            raise BadInput(f"{folder}/{name}.jsonl: no such file; run the stage `predict`")
    return [folder / f"{name}.jsonl" for name in sort_names(names, MODELS)]


def select_models(suite: Suite, models: Mapping[str, Answers]) -> dict[str, Answers]:
    """The models to score on this suite; answers that are missing by accident must still count."""
    tasks = {task.id for task in suite.tasks}
    return {
        name: answers
        for name, answers in models.items()
        if name in MODELS_ASKED_EVERYTHING or not tasks.isdisjoint(answers)
    }


def answer_by_rule(suite: Suite, rule: Baseline) -> Answers:
    return {task.id: Answer(task.id, rule(task, suite.prompt(task))) for task in suite.tasks}


def build_signature(suite: Suite, config: ScoreConfig) -> str:
    """What two sets of metrics must share to be comparable."""
    scorer = scorer_signature(config.text_scorer)
    return f"{scorer}|lam:{config.lam:g}|suite:{suite.digest[:12]}"


def _score_model(
    suite: Suite, model: str, answers: Answers, config: ScoreConfig
) -> Iterator[ScoredAnswer]:
    return score_answers(suite, model, answers, TEXT_SCORERS[config.text_scorer], config.lam)


def _add_tables(
    scores: SuiteScores, scored: Sequence[ScoredAnswer], config: ScoreConfig
) -> list[BreakdownRow]:
    """Append one model to the breakdown and to the sweep; returns its rows of the breakdown."""
    rows = metrics.compute_breakdown(scored, config.bootstrap, config.seed)
    scores.breakdown += rows
    scores.sweep += metrics.sweep_lambda(scored, config.sweep)
    return rows
