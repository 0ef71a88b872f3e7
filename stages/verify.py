"""Keep what is sound; reject the rest, each with its reason.

reads   data/raw.jsonl         Group
        data/catalogue/        simulators' tools and the words for their values
        data/protected.jsonl   queries of the benchmark suites
writes  data/sound.jsonl       Group
        data/rejects.jsonl     Reject
        metrics/verify.json    counts by reason
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import jsonl, metrics_file
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.validation import RepetitionFilter, TrajectoryValidator, list_calls
from agent_tuning.records import BadInput, Group, Record, Trajectory, User
from agent_tuning.runtime import cli, config

INCOMPLETE = "incomplete_group"


class VerifyConfig(Record, frozen=True):
    max_rejected: float
    positives: int
    near_duplicate: float
    near_benchmark: float


class Reject(Record, frozen=True):
    group: str
    reason: str
    detail: str
    trajectory: Trajectory


class Position(NamedTuple):
    """Where a trajectory stands: the number of its group and its own in it."""

    group: int
    member: int


def find_problems(
    groups: Iterable[Group], checks: TrajectoryValidator, near: float
) -> dict[Position, str]:
    """Why some trajectories must not be trained on, as `reason: detail`.

    Of trajectories that repeat each other the one with the first id stays, wherever it stands.
    """
    found: dict[Position, str] = {}
    sound: list[tuple[str, Position, str, bytes]] = []
    for number, group in enumerate(groups):
        for member, one in enumerate(group.trajectories):
            place = Position(number, member)
            if problem := checks.problem(one, group.tools):
                found[place] = problem
            else:
                asked = "\n".join(turn.text for turn in one.turns if isinstance(turn, User))
                decided = msgspec.json.encode(list_calls(one), order="sorted")
                sound.append((f"{one.id} {group.id}", place, asked, decided))
    repetitions = RepetitionFilter(near)
    for _, place, asked, decided in sorted(sound):
        if problem := repetitions.problem(asked, decided.decode()):
            found[place] = problem
    return found


def reject_groups(
    groups: Iterable[Group], found: Mapping[Position, str], positives: int
) -> Iterator[list[Reject]]:
    """Of every group, nothing if it is sound and whole; else all of it.

    A group with a reject would break positives : hard negatives.
    """
    for number, group in enumerate(groups):
        reasons = [found.get(Position(number, m), "") for m in range(len(group.trajectories))]
        if len(reasons) == positives and not any(reasons):
            yield []
            continue
        problems = [(reason or INCOMPLETE).partition(": ") for reason in reasons]
        yield [
            Reject(group.id, reason, detail, one)
            for (reason, _, detail), one in zip(problems, group.trajectories, strict=True)
        ]


def main(raw: Path, catalogue: Path, protected: Path, good: Path, bad: Path, metrics: Path) -> None:
    p = config.load("verify", VerifyConfig)
    fence = ContaminationFilter(jsonl.read(protected, ProtectedQuery), p.near_benchmark)
    checks = TrajectoryValidator(Catalogue(catalogue), fence)
    # Read again and again: a large plan does not fit into memory.
    found = find_problems(jsonl.read(raw, Group), checks, p.near_duplicate)
    wrong = list(reject_groups(jsonl.read(raw, Group), found, p.positives))
    pairs = zip(jsonl.read(raw, Group), wrong, strict=True)
    sound = jsonl.write(good, (group for group, reasons in pairs if not reasons))
    rejected = jsonl.write(bad, (reject for reasons in wrong for reject in reasons))
    total = sound * p.positives + rejected
    reasons = Counter(reject.reason for some in wrong for reject in some)
    metrics_file.write(
        metrics,
        {"groups": sound, "trajectories": total, "rejected": rejected}
        | {f"rejected_{reason}": count for reason, count in reasons.items()},
    )
    print(f"{good}: {sound} groups, {rejected} of {total} rejected {dict(reasons)}")
    if rejected > p.max_rejected * total:
        raise BadInput(
            f"{bad}: {rejected} of {total} trajectories rejected, more than "
            f"verify.max_rejected = {p.max_rejected} allows; the file gives each reason"
        )


if __name__ == "__main__":
    cli.run(main)
