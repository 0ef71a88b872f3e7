"""Add to every group a query that looks as if it needed a tool and needs none: 4 to 1.

reads   data/sound.jsonl       Group of positives
        data/catalogue/        remarks, missing arguments, goals
        data/phrasing.yaml     how a negative is worded
        data/general.jsonl     Group of everyday questions with the base model's replies
        data/protected.jsonl   queries of the benchmark suites
writes  data/negatives.jsonl   Group of positives and their hard negative
        metrics/negatives.json counts by kind, and how hard they are
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trajectory import command, jsonl, metricfile, params, yamlfile
from trajectory.catalogue import Catalogue
from trajectory.hardness import lexical_auc
from trajectory.negatives import KINDS, Negatives
from trajectory.phrasing import Phrasing
from trajectory.protected import Fence, Protected
from trajectory.quota import quota
from trajectory.records import BadInput, Group, Record, Trajectory
from trajectory.teachers.scripted import Scripted, Style


class Params(Record, frozen=True):
    seed: int
    style: Style
    shares: dict[str, float]
    max_auc: float


def with_negatives(
    groups: Sequence[Group],
    everyday: Sequence[Trajectory],
    teacher: Scripted,
    fence: Fence,
    p: Params,
) -> Iterator[Group]:
    """Every group and one negative; kinds keep their shares where a group's menu allows it."""
    ordered = sorted(groups, key=lambda group: group.id)
    source = Negatives(teacher, [one for group in ordered for one in group.trajectories], everyday)
    left = quota(p.shares, len(groups))
    seen: set[str] = set()
    for group in sorted(groups, key=lambda group: random.Random(f"{p.seed}:{group.id}").random()):
        # The kind that is furthest behind its share comes first.
        kinds = sorted(left, key=lambda kind: -left[kind] / (p.shares[kind] or 1))
        negative = next(_fresh(group, kinds, source, fence, seen, p.seed), None)
        if negative is None:
            raise BadInput(f"negatives: no new hard negative for group {group.id}; add remarks")
        left[negative.kind] -= 1
        seen.add(f"{negative.kind}:{negative.query}")
        trajectories = (*group.trajectories, negative)
        yield msgspec.structs.replace(group, trajectories=trajectories)


def _fresh(
    group: Group, kinds: Sequence[str], source: Negatives, fence: Fence, seen: set[str], seed: int
) -> Iterator[Trajectory]:
    """Candidates that are neither used already nor in the benchmark."""
    for kind in kinds:
        rng = random.Random(f"{seed}:{kind}:{group.id}")
        for candidate in KINDS[kind](source, group, rng):
            if f"{kind}:{candidate.query}" not in seen and not fence.overlap(candidate.query):
                yield candidate


def main(
    sound: Path,
    catalogue: Path,
    phrasing: Path,
    everyday: Path,
    protected: Path,
    target: Path,
    metrics: Path,
) -> None:
    p = params.load("negatives", Params)
    if unknown := p.shares.keys() - KINDS.keys():
        raise BadInput(
            f"params.yaml: negatives.shares: no kind {sorted(unknown)}; there are {sorted(KINDS)}"
        )
    teacher = Scripted(Catalogue(catalogue), yamlfile.read(phrasing, Phrasing), p.style)
    groups = list(jsonl.read(sound, Group))
    asked = [one for group in jsonl.read(everyday, Group) for one in group.trajectories]
    fence = Fence(item.query for item in jsonl.read(protected, Protected))
    done = sorted(with_negatives(groups, asked, teacher, fence, p), key=lambda group: group.id)
    jsonl.write(target, done)
    kinds = Counter(group.trajectories[-1].kind for group in done)
    hardness = lexical_auc(done)
    positives = sum(len(group.trajectories) for group in groups)
    counts = {"positives": positives, "negatives": kinds.total(), "lexical_auc": hardness}
    metricfile.write(metrics, counts | {f"negatives_{kind}": n for kind, n in kinds.items()})
    print(f"{target}: {positives} positives, {kinds.total()} negatives, AUC {hardness:.3f}")
    if hardness > p.max_auc:
        raise BadInput(
            f"{target}: word overlap tells negatives apart with AUC {hardness:.3f}, more than "
            f"negatives.max_auc = {p.max_auc} allows"
        )


if __name__ == "__main__":
    command.run(main)
