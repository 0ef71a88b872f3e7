"""Answer a fixed part of the questions again in other batches: the noise under every number.

reads   data/requests.jsonl    QuestionGroup
        models/tuned/
        data/code_hashes/rerun_variance.json    the hash of this code
        data/answers/tuned.jsonl       the first answers
        data/asked/                    the suites, with the tasks that are asked
writes  metrics/rerun_variance.json    how many were asked, the share of equal answers, and by
                                       how much em differs
"""

from pathlib import Path

import msgspec

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.progress import Progress
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.engines.engine import ENGINES
from benchmark.scoring.rerun_variance import (
    RerunVarianceConfig,
    choose_groups,
    measure_rerun_variance,
)
from benchmark.scoring.task_score import read_answers
from benchmark.tasks import suites


def main(
    requests: Path,
    model: Path,
    code: Path,  # noqa: ARG001 - DVC looks at it in place of the code
    answers: Path,
    suites_folder: Path,
    metrics: Path,
) -> None:
    p = config.load("rerun_variance", RerunVarianceConfig)
    predict = config.load("predict", PredictConfig)
    loaded = [suites.read(suite) for suite in sorted(suites_folder.iterdir())]
    groups = choose_groups(list(jsonl.read(requests, QuestionGroup)), p.share)
    other_batches = msgspec.structs.replace(predict, batch_size=p.batch_size)
    engine = ENGINES[predict.engine](model, answers.stem, other_batches, suites_folder)
    progress = Progress("rerun_variance", sum(len(group.questions) for group in groups))
    again: dict[str, Answer] = {}
    for batch in engine.answers(groups, (), progress.show_part):
        again.update((answer.task, answer) for answer in batch)
        progress.show(len(again))
    first = read_answers(answers, {task.id for suite in loaded for task in suite.tasks})
    variance = measure_rerun_variance(loaded, first, again)
    metrics_file.write(metrics, variance)
    share = variance["equal"]
    print(f"{metrics}: {share:.1%} of {len(again)} answers are the same in other batches")


if __name__ == "__main__":
    cli.run(main)
