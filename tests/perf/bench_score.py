"""How fast answers are scored: `python -m tests.perf.bench_score [ANSWERS]`, 100,000 by default.

One process reads, judges and adds up answers to the house suite, good and bad ones. Beside it a
loop scores descriptions with rouge-score and sacrebleu, a call for each pair. Fails if it takes
more than it may.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice, pairwise
from pathlib import Path

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from agent_tuning.files import jsonl
from benchmark.engines.answer import Answer
from benchmark.scoring import degenerate, metrics
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import ScoredAnswer, score_answer
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

HOUSE = suites.read(Path("benchmark/suites/house"))
RULES = ("gold", "cut_off", "every_tool", "invented_arguments", "wrong_decision")
PAIRS = 2_000  # that the slow loop scores
SECONDS, MIB, TIMES = 20, 1024, 20


def answers(suite: Suite) -> Iterator[Answer]:
    """Without end: every rule in turn answers every task."""
    rules = {**BASELINES, **degenerate.DEGENERATE}
    said = [
        Answer(task.id, rules[name](task, suite.tools_of(task)))
        for name in RULES
        for task in suite.tasks
    ]
    return cycle(said)


def scored(suite: Suite, path: Path) -> Iterator[ScoredAnswer]:
    tasks = {task.id: task for task in suite.tasks}
    alike = TEXT_SCORERS["rouge_l"]
    for answer in jsonl.read(path, Answer):
        task = tasks[answer.task]
        yield score_answer(
            suite.name, "model", task, suite.tools_of(task), answer, alike, 0.5
        ).without_texts


def pairs(suite: Suite) -> list[tuple[str, str]]:
    """Descriptions beside others, of which none comes twice."""
    thoughts = islice(cycle(task.golds[0].thought for task in suite.tasks), PAIRS + 1)
    return list(pairwise(f"{thought} {number}" for number, thought in enumerate(thoughts)))


def seconds(work: Callable[[], object]) -> float:
    """Of CPU, which a busy machine does not stretch."""
    start = time.process_time()
    work()
    return time.process_time() - start


def per_pair(suite: Suite) -> tuple[float, float]:
    """Microseconds a pair: the loop of libraries, and ours."""
    compared = pairs(suite)
    rouge = RougeScorer(["rougeL"])

    def libraries() -> None:
        for one, other in compared:
            rouge.score(one, other)
            sacrebleu.sentence_bleu(other, [one])

    def ours() -> None:
        for one, other in compared:
            TEXT_SCORERS["rouge_l"](one, other)

    slow, fast = seconds(libraries), seconds(ours)
    return 1e6 * slow / PAIRS, 1e6 * fast / PAIRS


def main(number: int) -> None:
    slow, fast = per_pair(HOUSE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        jsonl.write(path, islice(answers(HOUSE), number))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        spent = seconds(lambda: metrics.compute_metrics(scored(HOUSE, path)))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{number} answers: {spent:.1f} s CPU, {(most - before) / 1024:.0f} MiB more")
    print(f"a pair: {fast:.1f} µs, by rouge-score and sacrebleu {slow:.1f} µs: {slow / fast:.0f} x")
    if spent > SECONDS or most > MIB * 1024 or slow / fast < TIMES:
        sys.exit(f"more than {SECONDS} s or {MIB} MiB, or less than {TIMES} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
