"""Score the answers of both models and of every baseline; no model is run here.

Reads the answers of the base and the tuned model and both suites; writes flat metrics per suite,
a line per (suite, model, task), the breakdown by slice, and the score under several λ.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from benchmark import suites
from benchmark.answers import Answer
from benchmark.baselines import BASELINES
from benchmark.metrics import Row, SweepRow, breakdown, metrics, sweep
from benchmark.scored import Scored, judge
from benchmark.scorers import TEXT_SCORERS, signature
from benchmark.suites import Suite
from trajectory import command, jsonl, metricfile, params, tables
from trajectory.records import BadInput, Record

Answers = Mapping[str, Answer]  # by task id


class Params(Record, frozen=True):
    lam: float
    text_scorer: Literal["rouge_l", "bleu"]
    bootstrap: int
    seed: int
    sweep: tuple[float, ...]


def main(
    base_answers: Path,
    tuned_answers: Path,
    house_suite: Path,
    bfcl_suite: Path,
    house_metrics: Path,
    bfcl_metrics: Path,
    scores: Path,
    breakdown: Path,
    sweep: Path,
) -> None:
    section = params.load("score", Params)
    loaded = [_read_suite("house", house_suite), _read_suite("bfcl", bfcl_suite)]
    known = {task.id for suite in loaded for task in suite.tasks}
    models = {
        "base": _read_answers(base_answers, known),
        "tuned": _read_answers(tuned_answers, known),
    }
    judged = {suite.name: judge_all(suite, models, section) for suite in loaded}
    for suite, path in zip(loaded, (house_metrics, bfcl_metrics), strict=True):
        metricfile.write(path, flat_metrics(suite, judged[suite.name], section))
    every = [by_model for suite in loaded for by_model in judged[suite.name].items()]
    jsonl.write(scores, (row for model, rows in every if model in models for row in rows))
    tables.write(breakdown, Row, _breakdown([rows for _, rows in every], section))
    tables.write(sweep, SweepRow, _sweep([rows for _, rows in every], section))


def judge_all(
    suite: Suite, models: Mapping[str, Answers], section: Params
) -> dict[str, list[Scored]]:
    """The answers of every model, then of every baseline, to the tasks in order of their ids."""
    said = {**models, **{name: baseline_answers(suite, name) for name in BASELINES}}
    alike = TEXT_SCORERS[section.text_scorer]
    tasks = sorted(suite.tasks, key=lambda task: task.id)
    return {
        model: [
            judge(
                suite.name, model, task, suite.menu(task), answers.get(task.id), alike, section.lam
            )
            for task in tasks
        ]
        for model, answers in said.items()
    }


def baseline_answers(suite: Suite, name: str) -> Answers:
    answer = BASELINES[name]
    return {task.id: Answer(task.id, answer(task, suite.menu(task))) for task in suite.tasks}


def flat_metrics(
    suite: Suite, judged: Mapping[str, Sequence[Scored]], section: Params
) -> dict[str, float]:
    """Base and tuned; the name of the last key says what makes two files comparable."""
    sign = f"{signature(section.text_scorer)}|lam:{section.lam:g}|suite:{suite.digest[:12]}"
    found = {
        f"{model}.{name}": value
        for model in ("base", "tuned")
        for name, value in metrics(judged[model]).items()
    }
    return dict(sorted({**found, f"signature.{sign}": 1}.items()))


def _breakdown(every: Sequence[Sequence[Scored]], section: Params) -> Iterator[Row]:
    for rows in every:
        yield from breakdown(rows, section.bootstrap, section.seed)


def _sweep(every: Sequence[Sequence[Scored]], section: Params) -> Iterator[SweepRow]:
    for rows in every:
        yield from sweep(rows, section.sweep)


def _read_suite(name: str, folder: Path) -> Suite:
    suite = suites.read(folder)
    return Suite(name, suite.tools, suite.tasks)


def _read_answers(path: Path, known: set[str]) -> Answers:
    answers: dict[str, Answer] = {}
    for line, answer in enumerate(jsonl.read(path, Answer), 1):
        if answer.task not in known:
            raise BadInput(f"{path}:{line}: task: no suite has a task {answer.task!r}")
        if answer.task in answers:
            raise BadInput(f"{path}:{line}: task: {answer.task!r} is answered a second time")
        answers[answer.task] = answer
    return answers


if __name__ == "__main__":
    command.run(main)
