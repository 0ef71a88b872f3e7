"""Score the answers of the models and of every baseline; no model is run here.

Reads the answers of the base model, of it after two examples, of the tuned model, and both suites;
writes flat metrics per suite, a line per (suite, model, task), the breakdown by slice, and the
score under several λ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent_tuning.files import csv_records, jsonl, metrics_file
from agent_tuning.records import Record
from agent_tuning.runtime import cli, config
from benchmark.engines.answer import Answer
from benchmark.scoring import metrics
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.metrics import BreakdownRow, SweepRow
from benchmark.scoring.scorers import TEXT_SCORERS, scorer_signature
from benchmark.scoring.task_score import Answers, ScoredAnswer, read_answers, score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

TWO_SHOT = "base_two_shot"  # asked the house suite alone, after two worked examples


class ScoreConfig(Record, frozen=True):
    lam: float
    text_scorer: Literal["rouge_l", "bleu"]
    bootstrap: int
    seed: int
    sweep: tuple[float, ...]


@dataclass
class Tally:
    """What is kept of the lines of scores, which are many, once they are written."""

    section: ScoreConfig
    flat: dict[str, dict[str, float]] = field(default_factory=dict)  # by suite
    breakdown: list[BreakdownRow] = field(default_factory=list)
    sweep: list[SweepRow] = field(default_factory=list)

    def lines(self, suite: Suite, models: Mapping[str, Answers]) -> Iterator[ScoredAnswer]:
        """Yield the lines of the models, and add them and those of every baseline up."""
        alike, lam = TEXT_SCORERS[self.section.text_scorer], self.section.lam
        self.flat[suite.name] = {f"signature.{build_signature(suite, self.section)}": 1}
        for model in (*models, *BASELINES):
            said = models[model] if model in models else answer_by_rule(suite, model)
            kept = []
            for line in score_answers(suite, model, said, alike, lam):
                kept.append(line.numbers)
                if model in models:
                    yield line
            rows = metrics.compute_breakdown(kept, self.section.bootstrap, self.section.seed)
            self.breakdown += rows
            self.sweep += metrics.sweep_lambda(kept, self.section.sweep)
            if model in models:
                found = {**metrics.compute_metrics(kept), **metrics.collect_intervals(rows)}
                self.flat[suite.name] |= {f"{model}.{name}": n for name, n in found.items()}


def main(
    base_answers: Path,
    two_shot_answers: Path,
    tuned_answers: Path,
    house_suite: Path,
    bfcl_suite: Path,
    house_metrics: Path,
    bfcl_metrics: Path,
    scores: Path,
    breakdown: Path,
    sweep: Path,
    *further: Path,
) -> None:
    """`further` are suites beside these two, each with its metrics file after it."""
    tally = Tally(config.load("score", ScoreConfig))
    folders = (house_suite, bfcl_suite, *further[::2])
    targets = (house_metrics, bfcl_metrics, *further[1::2])
    loaded = [suites.read(folder) for folder in folders]
    known = {task.id for suite in loaded for task in suite.tasks}
    models = {
        "base": read_answers(base_answers, known),
        TWO_SHOT: read_answers(two_shot_answers, known),
        "tuned": read_answers(tuned_answers, known),
    }
    elsewhere = {name: said for name, said in models.items() if name != TWO_SHOT}
    asked = [(suite, models if suite.name == "house" else elsewhere) for suite in loaded]
    jsonl.write(scores, (line for suite, some in asked for line in tally.lines(suite, some)))
    for suite, path in zip(loaded, targets, strict=True):
        metrics_file.write(path, tally.flat[suite.name])
    csv_records.write(breakdown, BreakdownRow, tally.breakdown)
    csv_records.write(sweep, SweepRow, tally.sweep)


def answer_by_rule(suite: Suite, name: str) -> Answers:
    answer = BASELINES[name]
    return {task.id: Answer(task.id, answer(task, suite.tools_of(task))) for task in suite.tasks}


def build_signature(suite: Suite, section: ScoreConfig) -> str:
    """What makes two metrics files comparable; it stands in a name, for DVC ignores strings."""
    scorer = scorer_signature(section.text_scorer)
    return f"{scorer}|lam:{section.lam:g}|suite:{suite.digest[:12]}"


if __name__ == "__main__":
    cli.run(main)
