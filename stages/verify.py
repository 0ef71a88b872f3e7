"""Keep what is sound; reject the rest, each with its reason.

reads   data/raw.jsonl         Group
        data/catalogue/        simulators' tools and the words for their values
        data/protected.jsonl   queries of the benchmark suites
writes  data/sound.jsonl       Group
        data/rejects.jsonl     Reject
        metrics/verify.json    counts by reason
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from trajectory import command, jsonl, metricfile, params
from trajectory.catalogue import Catalogue
from trajectory.checks import Checks
from trajectory.protected import Fence, Protected
from trajectory.records import BadInput, Group, Record, Trajectory


class Params(Record, frozen=True):
    max_rejected: float
    positives: int


class Reject(Record, frozen=True):
    group: str
    reason: str
    detail: str
    trajectory: Trajectory


def sift(
    groups: Iterable[Group], checks: Checks, positives: int
) -> tuple[list[Group], list[Reject]]:
    """Whole groups only: one with a reject would break positives : hard negatives."""
    sound: list[Group] = []
    rejects: list[Reject] = []
    for group in groups:
        kept = []
        for trajectory in group.trajectories:
            problem = checks.problem(trajectory, group.tools)
            if problem is None:
                kept.append(trajectory)
            else:
                reason, _, detail = problem.partition(": ")
                rejects.append(Reject(group.id, reason, detail, trajectory))
        if len(kept) == positives:
            sound.append(group)
        else:
            rejects += [Reject(group.id, "incomplete_group", "", one) for one in kept]
    return sound, rejects


def main(raw: Path, catalogue: Path, protected: Path, good: Path, bad: Path, metrics: Path) -> None:
    p = params.load("verify", Params)
    fence = Fence(item.query for item in jsonl.read(protected, Protected))
    groups = list(jsonl.read(raw, Group))
    sound, rejects = sift(groups, Checks(Catalogue(catalogue), fence), p.positives)
    jsonl.write(good, sound)
    jsonl.write(bad, rejects)
    total = sum(len(group.trajectories) for group in groups)
    reasons = Counter(reject.reason for reject in rejects)
    metricfile.write(
        metrics,
        {"groups": len(sound), "trajectories": total, "rejected": len(rejects)}
        | {f"rejected_{reason}": count for reason, count in reasons.items()},
    )
    print(f"{good}: {len(sound)} groups, {len(rejects)} of {total} rejected {dict(reasons)}")
    if len(rejects) > p.max_rejected * total:
        raise BadInput(
            f"{bad}: {len(rejects)} of {total} trajectories rejected, more than "
            f"verify.max_rejected = {p.max_rejected} allows; the file gives each reason"
        )


if __name__ == "__main__":
    command.run(main)
