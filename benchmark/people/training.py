"""Corrected candidates as training data: `make corrections`.

reads   SUITE/, CANDIDATES/ and their reviews;  params.yaml: review, verify
writes  OUT     Group, one a corrected call

What stands in the suite is left out: nothing is trained on that is asked in the benchmark. So is a
correction to no call or to a question, for which a gold has no reply to learn from.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark import suites
from benchmark.people import events, merge, trained
from benchmark.suites import Gold, Suite
from trajectory import command, jsonl, params
from trajectory.records import Assistant, Call, Group, Trajectory


def groups(suite: Suite, candidates: Suite, found: Iterable[merge.Reviewed]) -> Iterator[Group]:
    fence = trained.around_suite(suite)
    for task, settled, _ in found:
        trajectories = tuple(
            Trajectory(
                f"{task.id}.corrected", (*task.turns, decision(gold)), task.kind, task.language
            )
            for gold in settled.golds[:1]
            if settled.golds != task.golds and gold.decision == "call"
        )
        if trajectories and not fence.overlap(trajectories[0].query, task.menu):
            yield Group(task.group, task.language, candidates.menu(task), trajectories)


def decision(gold: Gold) -> Assistant:
    """The first accepted spelling of a gold."""
    calls = (
        Call(call.name, {name: accepted[0] for name, accepted in call.arguments.items()})
        for call in gold.calls
    )
    return Assistant(gold.decision, gold.thought, tuple(calls))


def main(folder: Path, candidates_folder: Path, reviews: Path, out: Path) -> None:
    p = params.load("review", merge.Params)
    candidates = suites.read(candidates_folder)
    found = list(merge.reviewed(candidates, jsonl.read(reviews, events.Event), p.double))
    corrected = sum(one.settled.golds not in ((), one.task.golds) for one in found)
    count = jsonl.write(out, groups(suites.read(folder), candidates, found))
    print(f"{out}: {count} of {corrected} corrected candidates")


if __name__ == "__main__":
    command.run(main)
