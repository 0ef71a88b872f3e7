"""Groups of training data from written examples: checked, copied with other values, shuffled.

Kinds that a model learns last get more copies. A part of the examples is held back for validation,
as written. Training never sees these examples nor copies of them, and copies of others take no
values from them.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, get_args

from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.verify import Reject
from agent_tuning.records import (
    Group,
    Language,
    PromptSpec,
    Record,
    Tool,
    Trajectory,
)
from agent_tuning.runtime.progress import Progress
from agent_tuning.runtime.ranges import AtLeastOne, Seed, Share
from agent_tuning.synthesis.value_exchange import ValueExchange
from agent_tuning.synthesis.value_pools import PeopleConfig, ValuePools
from agent_tuning.synthesis.written_checks import ExampleChecks, find_problems, list_queries
from agent_tuning.synthesis.written_examples import Kind, NumberedExample, WrittenExample


class WrittenConfig(Record, frozen=True):
    """The section `written` of params.yaml, where each key is explained."""

    seed: Seed
    folder: str
    language: Language
    near_duplicate: Share
    max_rejected: Share
    copies: dict[Kind, AtLeastOne]
    people: PeopleConfig
    trajectories_per_prompt: AtLeastOne
    validation: Share

    def __post_init__(self) -> None:
        if missing := [kind for kind in get_args(Kind) if kind not in self.copies]:
            raise ValueError(f"copies: every kind needs a number; missing: {', '.join(missing)}")


class WrittenGroups(NamedTuple):
    """All that the examples gave."""

    training: list[Group]
    validation: list[Group]
    rejects: list[Reject]
    metrics: dict[str, float]


def build_groups(
    examples: Sequence[NumberedExample],
    tools: Sequence[Tool],
    contamination: ContaminationFilter,
    config: WrittenConfig,
) -> WrittenGroups:
    """Groups for training and for validation, whose prompts list all `tools`."""
    checks = ExampleChecks(tools, contamination)
    problems = find_problems(examples, checks, config.near_duplicate)
    sound = [numbered for numbered in examples if numbered.id not in problems]
    validation = [numbered for numbered in sound if is_held_back(numbered.id, config)]
    held_back = {id for id, _ in validation}
    training = [numbered for numbered in sound if numbered.id not in held_back]
    pools = ValuePools([example for _, example in training], checks, config.people)
    known = {list_queries(example) for _, example in sound}
    copies = list(write_copies(training, ValueExchange(pools), checks, known, config))
    as_written = dict(training)
    rejects = [
        Reject(id, *_split_problem(problems[id]), write_trajectory(f"{id}.0", example, config))
        for id, example in examples
        if id in problems
    ]
    written = [NumberedExample(f"{id}.0", example) for id, example in training]
    held = [NumberedExample(f"{id}.0", example) for id, example in validation]
    metrics = count_examples(examples, problems) | {
        "training": len(training),
        "validation": len(validation),
        "copies": len(copies),
        "copies_unchanged": sum(
            example is as_written[id.rpartition(".")[0]] for id, example in copies
        ),
    }
    return WrittenGroups(
        list(_gather([*written, *copies], "written", tools, config)),
        list(_gather(held, "validation", tools, config)),
        rejects,
        metrics,
    )


def is_held_back(id: str, config: WrittenConfig) -> bool:
    """Is the example for validation? Its id alone decides, so more examples move none."""
    return random.Random(f"{config.seed}:validation:{id}").random() < config.validation


def write_copies(
    examples: Sequence[NumberedExample],
    exchange: ValueExchange,
    checks: ExampleChecks,
    known: set[tuple[str, ...]],
    config: WrittenConfig,
) -> Iterator[NumberedExample]:
    """Copies with other values, ids ending in 1, 2 and so on.

    A copy that would say what is `known` already, or what a benchmark asks, is the example again: a
    question back often has no value to exchange, and is to be seen as often as its neighbours.
    """
    known = set(known)
    progress = Progress("written", len(examples))
    for done, (id, example) in enumerate(examples):
        progress.show(done)
        for number in range(1, config.copies[example.kind]):
            copy_id = f"{id}.{number}"
            copy = exchange.copy_example(example, random.Random(f"{config.seed}:{copy_id}"))
            said = list_queries(copy)
            if said in known or checks.find_problem(copy) is not None:
                copy = example
            known.add(said)
            yield NumberedExample(copy_id, copy)


def write_trajectory(id: str, example: WrittenExample, config: WrittenConfig) -> Trajectory:
    """The example as a trajectory that ends with the decision."""
    return Trajectory(
        id=id,
        turns=(*example.before, example.answer),
        kind=example.kind,
        language=config.language,
        tool=example.calls[0].name if example.calls else "",
    )


def count_examples(
    examples: Iterable[NumberedExample], problems: dict[str, str]
) -> dict[str, float]:
    """Counts by kind, decision and voice of the sound examples, and of rejects by reason."""
    counts: Counter[str] = Counter(examples=0, rejected=0)
    for id, example in examples:
        counts["examples"] += 1
        if id in problems:
            counts["rejected"] += 1
            counts[f"rejected_{_split_problem(problems[id])[0]}"] += 1
        else:
            counts[f"kind_{example.kind}"] += 1
            counts[f"decision_{example.decision}"] += 1
            counts[f"voice_{id.rpartition('.')[0]}"] += 1
    return dict(counts)


def _gather(
    examples: Iterable[NumberedExample], name: str, tools: Sequence[Tool], config: WrittenConfig
) -> Iterator[Group]:
    """Groups of `trajectories_per_prompt`, in an order that mixes kinds and voices."""
    shuffled = sorted(examples, key=lambda one: random.Random(f"{config.seed}:{one.id}").random())
    size = config.trajectories_per_prompt
    for number, start in enumerate(range(0, len(shuffled), size), 1):
        id = f"{name}/{number:04}"
        order = list(tools)
        random.Random(f"{config.seed}:{id}").shuffle(order)
        members = shuffled[start : start + size]
        trajectories = tuple(write_trajectory(id, example, config) for id, example in members)
        yield Group(id, PromptSpec(id, config.language, tuple(order)), trajectories)


def _split_problem(problem: str) -> tuple[str, str]:
    reason, _, detail = problem.partition(": ")
    return reason, detail
