"""Score the answers with bfcl-eval's own checker, and write one model's row of the table.

    python -m benchmark.official_bfcl.score MODEL NAME SLICE TARGET

Their result files are written from our answers, then their `evaluate` judges them. What they call
overall counts a category that was not asked as 0, so only categories are reported.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from benchmark.official_bfcl import answers, package, questions
from benchmark.official_bfcl.answers import Answer
from benchmark.official_bfcl.official_score import (
    TITLE,
    CategoryScore,
    OfficialScore,
    hash_ids,
    list_rows,
    write_score,
)
from benchmark.official_bfcl.questions import BfclConfig, Slice


class ScoreHead(Record, frozen=True):
    """The first line of their score file."""

    accuracy: float
    correct_count: int
    total_count: int


def keep_answered(chosen: Slice, given: Mapping[str, Answer]) -> Slice:
    """The categories whose questions of the slice are all answered."""
    return {
        category: ids for category, ids in chosen.items() if all(id in given for id in ids) and ids
    }


def evaluate(chosen: Slice, given: Mapping[str, Answer], folder: Path) -> dict[str, CategoryScore]:
    """The verdict of `bfcl evaluate --partial-eval` on the answers to these questions.

    `folder` gets `result/` and `score/` as that command has them; a score file names what is wrong
    with each wrong answer.
    """
    from bfcl_eval.eval_checker import eval_runner
    from bfcl_eval.utils import find_file_by_category

    results, scores = folder.resolve() / "result", folder.resolve() / "score"
    for stale in (results, scores):
        shutil.rmtree(stale, ignore_errors=True)
        stale.mkdir(parents=True)
    handler = eval_runner.get_handler(package.MODEL)
    for ids in chosen.values():
        handler.write([{"id": id, "result": given[id].result} for id in ids], results)
    with open(folder / "package.log", "a") as log, contextlib.redirect_stdout(log):
        eval_runner.main([package.MODEL], [*chosen], results, scores, partial_eval=True)
    verdicts = {}
    for category, ids in chosen.items():
        path = find_file_by_category(category, scores, is_score_file=True)
        with open(path, "rb") as lines:
            head = msgspec.json.decode(lines.readline(), type=ScoreHead)
        failed = sum(given[id].failed for id in ids)
        verdicts[category] = CategoryScore(
            head.correct_count, head.total_count, failed, hash_ids(ids)
        )
    return verdicts


def main(model: Path, name: Path, slice: Path, target: Path) -> None:
    settings = config.load("official_bfcl", BfclConfig)
    package.open_package(answers.ROOT)
    run, key = answers.identify_run(str(model), os.environ.get("OPENAI_BASE_URL", ""), settings)
    folder = answers.find_folder(str(name), key)
    given = answers.read_answers(folder)
    chosen = keep_answered(questions.read_slice(slice), given)
    if not chosen:
        raise BadInput(f"{folder}: no category is answered yet; run `make bfcl` with this MODEL")
    score = OfficialScore(
        benchmark=TITLE,
        version=run.package,
        model=run.model,
        key=key,
        slice=str(slice),
        temperature=run.temperature,
        max_tokens=run.max_tokens,
        categories=evaluate(chosen, given, folder),
    )
    write_score(target, score)
    print(f"{TITLE}, {score.version}, slice {score.slice}; share right of {score.model}")
    for row in list_rows({str(name): score}):
        print(" | ".join(row))


if __name__ == "__main__":
    cli.run(main)
