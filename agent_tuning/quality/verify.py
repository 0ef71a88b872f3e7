"""Which groups are kept: every trajectory is sound, none repeats another, none is missing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.quality.validation import (
    RepetitionFilter,
    TrajectoryValidator,
    list_calls,
    list_queries,
)
from agent_tuning.records import Group, Record, Trajectory

INCOMPLETE = "incomplete_group"


class VerifyConfig(Record, frozen=True):
    """The section `verify` of params.yaml, where each key is explained."""

    max_rejected: float
    positives: int
    near_duplicate: float


class Reject(Record, frozen=True):
    """A trajectory that is dropped, and why."""

    group: str
    reason: str
    detail: str
    trajectory: Trajectory


class Position(NamedTuple):
    """Where a trajectory is: the index of its group, and its own index in the group."""

    group: int
    member: int


class Candidate(NamedTuple):
    """A trajectory that is sound by itself, with what tells whether it repeats another."""

    id: str
    position: Position
    query: str
    calls: bytes


def find_problems(
    groups: Iterable[Group], validator: TrajectoryValidator, near_duplicate: float
) -> dict[Position, str]:
    """The trajectories that must not be trained on, each with its `reason: detail`.

    Of trajectories that repeat each other the one with the first id stays, in whatever order the
    groups come. `near_duplicate` (0-1) is the similarity from which two queries are one.
    """
    problems: dict[Position, str] = {}
    candidates: list[Candidate] = []
    for number, group in enumerate(groups):
        for member, trajectory in enumerate(group.trajectories):
            position = Position(number, member)
            if problem := validator.find_problem(trajectory, group.tools):
                problems[position] = problem
            else:
                id = f"{trajectory.id} {group.id}"
                query = "\n".join(list_queries(trajectory))
                calls = msgspec.json.encode(list_calls(trajectory), order="sorted")
                candidates.append(Candidate(id, position, query, calls))
    repetitions = RepetitionFilter(near_duplicate)
    for candidate in sorted(candidates):
        if problem := repetitions.find_problem(candidate.query, candidate.calls.decode()):
            problems[candidate.position] = problem
    return problems


def reject_groups(
    groups: Iterable[Group], problems: Mapping[Position, str], positives: int
) -> Iterator[list[Reject]]:
    """For every group its rejects: none if it is sound and whole, else all its trajectories.

    A group without one of its positives would break the ratio of positives to hard negatives.
    """
    for number, group in enumerate(groups):
        reasons = [
            problems.get(Position(number, member), "") for member in range(len(group.trajectories))
        ]
        if len(reasons) == positives and not any(reasons):
            yield []
            continue
        yield [
            Reject(group.id, reason, detail, trajectory)
            for trajectory, (reason, _, detail) in zip(
                group.trajectories,
                ((reason or INCOMPLETE).partition(": ") for reason in reasons),
                strict=True,
            )
        ]


def summarize(rejects: Sequence[Sequence[Reject]], positives: int) -> dict[str, float]:
    """The metrics, from the rejects of every group: kept groups, and rejects by reason."""
    reasons = Counter(reject.reason for of_group in rejects for reject in of_group)
    kept = sum(not of_group for of_group in rejects)
    counts: dict[str, float] = {
        "groups": kept,
        "trajectories": kept * positives + reasons.total(),
        "rejected": reasons.total(),
    }
    return counts | {f"rejected_{reason}": count for reason, count in reasons.items()}
