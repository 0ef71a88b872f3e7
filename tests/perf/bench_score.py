"""How fast answers are scored: `python -m tests.perf.bench_score [ANSWERS]`, 100,000 by default.

One process reads, scores and aggregates answers to the house suite, good and bad ones. For
comparison, a loop scores thoughts with rouge-score and sacrebleu, one call a pair. Fails above
SECONDS or MIB, or if the loop is less than TIMES slower.
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
PAIRS = 2_000  # of the loop
SECONDS, MIB, TIMES = 20, 1024, 20


def answers(suite: Suite) -> Iterator[Answer]:
    """Endless: every rule in turn answers every task."""
    rules = {**BASELINES, **degenerate.DEGENERATE}
    every_answer = [
        Answer(task.id, rules[name](task, suite.prompt(task)))
        for name in RULES
        for task in suite.tasks
    ]
    return cycle(every_answer)


def score_file(suite: Suite, path: Path) -> Iterator[ScoredAnswer]:
    tasks = {task.id: task for task in suite.tasks}
    rouge_l = TEXT_SCORERS["rouge_l"]
    for answer in jsonl.read(path, Answer):
        task = tasks[answer.task]
        yield score_answer(
            suite.name, "model", task, suite.prompt(task), answer, rouge_l, 0.5
        ).without_texts


def thought_pairs(suite: Suite) -> list[tuple[str, str]]:
    """Consecutive thoughts as pairs; a number makes every thought unique."""
    thoughts = islice(cycle(task.golds[0].thought for task in suite.tasks), PAIRS + 1)
    return list(pairwise(f"{thought} {number}" for number, thought in enumerate(thoughts)))


def measure_cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds, which a busy machine does not stretch."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_pair(suite: Suite) -> tuple[float, float]:
    """Microseconds a pair: the loop of libraries, and ours."""
    pairs = thought_pairs(suite)
    rouge = RougeScorer(["rougeL"])

    def libraries() -> None:
        for first, second in pairs:
            rouge.score(first, second)
            sacrebleu.sentence_bleu(second, [first])

    def ours() -> None:
        for first, second in pairs:
            TEXT_SCORERS["rouge_l"](first, second)

    slow, fast = measure_cpu_seconds(libraries), measure_cpu_seconds(ours)
    return 1e6 * slow / PAIRS, 1e6 * fast / PAIRS


def main(number: int) -> None:
    slow, fast = measure_pair(HOUSE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        jsonl.write(path, islice(answers(HOUSE), number))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = measure_cpu_seconds(lambda: metrics.compute_metrics(score_file(HOUSE, path)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{number} answers: {seconds:.1f} s CPU, {(peak - before) / 1024:.0f} MiB more")
    print(f"a pair: {fast:.1f} µs, by rouge-score and sacrebleu {slow:.1f} µs: {slow / fast:.0f} x")
    if seconds > SECONDS or peak > MIB * 1024 or slow / fast < TIMES:
        sys.exit(f"more than {SECONDS} s or {MIB} MiB, or less than {TIMES} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
