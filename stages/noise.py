"""Answer a fixed part of the questions again in other batches: the noise under every number.

reads   data/prompts.jsonl     Questions
        models/tuned/
        data/fingerprint/noise.json    this code
        data/answers/tuned.jsonl       the first answers
        data/asked/                    the suites, with the tasks that are asked
writes  metrics/noise.json     how many were asked, the share of equal answers, what em changed by
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import Record
from agent_tuning.runtime import cli, config
from benchmark.engines import ENGINES
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import read_answers, score_answer
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite


class RerunVarianceConfig(Record, frozen=True):
    share: float
    rows: int


def choose_groups(groups: Sequence[QuestionGroup], share: float) -> list[QuestionGroup]:
    """Whole groups by the hash of their names: the same ones whatever else is asked."""
    count = max(1, round(share * len(groups)))
    return sorted(groups, key=lambda g: hashlib.blake2b(g.group.encode()).digest())[:count]


def measure_rerun_variance(
    suites: Sequence[Suite], first: Mapping[str, Answer], again: Mapping[str, Answer]
) -> dict[str, float]:
    """Over the tasks of `again`; em differences have no sign."""
    before: list[float] = []
    after: list[float] = []
    for suite in suites:
        for task in (task for task in suite.tasks if task.id in again):
            for said, em in ((first, before), (again, after)):
                found = score_answer(
                    suite.name,
                    "",
                    task,
                    suite.tools_of(task),
                    said.get(task.id),
                    TEXT_SCORERS["rouge_l"],
                    0.0,
                )
                em.append(found.score.em)
    equal = sum(first.get(task) == answer for task, answer in again.items())
    asked = len(again)
    return {
        "asked": asked,
        "equal": equal / asked,
        "em_difference": abs(sum(after) - sum(before)) / asked,
        "em_flipped": sum(a != b for a, b in zip(before, after, strict=True)) / asked,
    }


def main(
    prompts: Path,
    folder: Path,
    fingerprint: Path,  # noqa: ARG001 - what DVC looks at in place of the code
    answers: Path,
    asked: Path,
    target: Path,
) -> None:
    p, settings = config.load("noise", RerunVarianceConfig), config.load("predict", PredictConfig)
    loaded = [suites.read(folder) for folder in sorted(asked.iterdir())]
    groups = choose_groups(list(jsonl.read(prompts, QuestionGroup)), p.share)
    other = msgspec.structs.replace(settings, rows=p.rows)
    engine = ENGINES[settings.engine](folder, answers.stem, other)
    again = {one.task: one for some in engine.answers(groups, ()) for one in some}
    first = read_answers(answers, {task.id for suite in loaded for task in suite.tasks})
    found = measure_rerun_variance(loaded, first, again)
    metrics_file.write(target, found)
    print(f"{target}: {found['equal']:.1%} of {len(again)} answers are the same in other batches")


if __name__ == "__main__":
    cli.run(main)
