"""Export corrected candidates as training data: `make corrections`.

reads   SUITE/, CANDIDATES/ and their reviews;  params.yaml: review, decontamination
writes  OUT     Group, one for each correction

A correction whose words are in the suite is left out: no query of the benchmark is trained on. So
is a correction to `no_call` or `ask` without the reply that a model should learn from it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ContaminationFilter, DecontaminationConfig
from agent_tuning.records import Group, PromptSpec, Trajectory, User
from agent_tuning.runtime import cli, config
from benchmark.annotation.review import contamination
from benchmark.annotation.review.queue import ReviewConfig
from benchmark.annotation.review.reviewed_tasks import ReviewedTask, settle_reviews
from benchmark.annotation.web.events import Event
from benchmark.tasks import suites
from benchmark.tasks.gold_turn import build_gold_turn
from benchmark.tasks.suites import Suite


def build_groups(
    candidates: Suite, reviewed: Iterable[ReviewedTask], suite_filter: ContaminationFilter
) -> Iterator[Group]:
    """One group for each correction that training may use."""
    for draft, outcome, _ in reviewed:
        task = outcome.task
        if not task or task == draft or (task.decision != "call" and not outcome.reply):
            continue
        prompt = candidates.prompt(task)
        turns = (*task.turns, build_gold_turn(task.golds[0], outcome.reply))
        trajectory = Trajectory(f"{task.id}.corrected", turns, task.kind, prompt.language)
        queries = (turn.text for turn in turns if isinstance(turn, User))
        names = [tool.name for tool in prompt.tools]
        if not any(suite_filter.overlap(query, names) for query in queries):
            without_formats = PromptSpec(prompt.id, prompt.language, prompt.tools)
            yield Group(prompt.id, without_formats, (trajectory,))


def main(folder: Path, candidates_folder: Path, reviews: Path, out: Path) -> None:
    p = config.load("review", ReviewConfig)
    limit = config.load("decontamination", DecontaminationConfig).near_benchmark
    candidates = suites.read(candidates_folder)
    reviewed = list(settle_reviews(candidates, jsonl.read(reviews, Event), p.double))
    corrected = sum(result.outcome.task not in (None, result.draft) for result in reviewed)
    suite_filter = contamination.build_suite_filter(suites.read(folder), limit)
    count = jsonl.write(out, build_groups(candidates, reviewed, suite_filter))
    print(f"{out}: {count} of {corrected} corrected candidates")


if __name__ == "__main__":
    cli.run(main)
