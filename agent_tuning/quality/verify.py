"""Which groups are kept: every trajectory is sound, none repeats another, none is missing."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.quality.near_duplicates import NearDuplicateIndex, normalize_tokens
from agent_tuning.quality.validation import TrajectoryValidator, list_calls, list_queries
from agent_tuning.records import Group, Record, Trajectory
from agent_tuning.runtime.ranges import AtLeastOne, Share, ShareAboveZero

INCOMPLETE = "incomplete_group"


class VerifyConfig(Record, frozen=True):
    """The section `verify` of params.yaml, where each key is explained."""

    max_rejected: Share
    positives: AtLeastOne
    near_duplicate: ShareAboveZero


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
    candidates.sort()
    problems.update(find_repetitions(candidates, near_duplicate))
    return problems


def find_repetitions(
    candidates: Sequence[Candidate], near_duplicate: float
) -> Iterator[tuple[Position, str]]:
    """Those that repeat an earlier one that is kept, each with its `reason: detail`.

    A query that is only similar must also lead to the same calls: with other arguments it teaches
    something else. So only candidates with the same calls are compared, and few share them.
    """
    similar = _find_similar(candidates, near_duplicate)
    kept: set[bytes] = set()
    rejected: set[int] = set()
    for number, candidate in enumerate(candidates):
        tokens = _hash_tokens(candidate.query)
        if tokens in kept:
            problem = f"duplicate: {candidate.query}"
        elif not rejected.issuperset(similar.get(number, ())):
            problem = f"near_duplicate: {candidate.query}"
        else:
            kept.add(tokens)
            continue
        rejected.add(number)
        yield candidate.position, problem


def _find_similar(
    candidates: Sequence[Candidate], near_duplicate: float
) -> Mapping[int, Sequence[int]]:
    """For each candidate the earlier ones with the same calls and a similar query."""
    with_calls: dict[bytes, list[int]] = defaultdict(list)
    for number, candidate in enumerate(candidates):
        with_calls[candidate.calls].append(number)
    similar: dict[int, list[int]] = {}
    for calls, numbers in with_calls.items():
        if len(numbers) > 1:
            index, about = NearDuplicateIndex(near_duplicate), calls.decode()
            for number in numbers:
                query = candidates[number].query
                if earlier := list(index.find_similar(query, about)):
                    similar[number] = [numbers[place] for place in earlier]
                index.add(query, about)
    return similar


def _hash_tokens(text: str) -> bytes:
    """Sixteen bytes for the tokens of a text: a set of a million of these is small."""
    return hashlib.blake2b("\n".join(normalize_tokens(text)).encode(), digest_size=16).digest()


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


def summarize(rejects: Iterable[Sequence[Reject]], positives: int) -> dict[str, float]:
    """The metrics, from the rejects of every group: kept groups, and rejects by reason."""
    reasons: Counter[str] = Counter()
    kept = 0
    for of_group in rejects:
        reasons.update(reject.reason for reject in of_group)
        kept += not of_group
    counts: dict[str, float] = {
        "groups": kept,
        "trajectories": kept * positives + reasons.total(),
        "rejected": reasons.total(),
    }
    return counts | {f"rejected_{reason}": count for reason, count in reasons.items()}
