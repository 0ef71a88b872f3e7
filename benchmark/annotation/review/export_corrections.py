"""Corrected candidates as training data: `make corrections`.

reads   SUITE/, CANDIDATES/ and their reviews;  params.yaml: review, verify
writes  OUT     Group, one a correction

What stands in the suite is left out: nothing is trained on that is asked in the benchmark. So is a
correction to no call or to a question without the reply that a model should learn from it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, Call, Group, PromptSpec, Trajectory, User
from agent_tuning.runtime import cli, config
from benchmark.annotation.review import contamination, merge
from benchmark.annotation.web import events
from benchmark.tasks import suites
from benchmark.tasks.suites import Gold, Suite


def build_groups(
    suite: Suite, candidates: Suite, found: Iterable[merge.ReviewedTask]
) -> Iterator[Group]:
    fence = contamination.build_suite_filter(suite)
    for draft, settled, _ in found:
        task = settled.task
        if not task or task == draft or (task.decision != "call" and not settled.reply):
            continue
        turns = (*task.turns, build_gold_turn(task.golds[0], settled.reply))
        one = Trajectory(f"{task.id}.corrected", turns, task.kind, task.language)
        asked = (turn.text for turn in turns if isinstance(turn, User))
        if not any(fence.overlap(words, task.menu) for words in asked):
            prompt = PromptSpec(task.group, task.language, candidates.tools_of(task))
            yield Group(task.group, prompt, (one,))


def build_gold_turn(gold: Gold, reply: str = "") -> Assistant:
    """The first accepted spelling of a gold; `reply` is what the user reads without a call."""
    calls = (
        Call(call.name, {name: accepted[0] for name, accepted in call.arguments.items()})
        for call in gold.calls
    )
    return Assistant(gold.decision, gold.thought, tuple(calls), "" if gold.calls else reply)


def main(folder: Path, candidates_folder: Path, reviews: Path, out: Path) -> None:
    p = config.load("review", merge.MergeConfig)
    candidates = suites.read(candidates_folder)
    found = list(merge.settle_reviews(candidates, jsonl.read(reviews, events.Event), p.double))
    corrected = sum(one.settled.task not in (None, one.task) for one in found)
    count = jsonl.write(out, build_groups(suites.read(folder), candidates, found))
    print(f"{out}: {count} of {corrected} corrected candidates")


if __name__ == "__main__":
    cli.run(main)
