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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import jsonl, metrics_file, yaml_records
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.lexical_auc import compute_lexical_auc
from agent_tuning.records import BadInput, Group, Record, Trajectory, User
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.hard_negatives import KINDS, NegativeSource
from agent_tuning.synthesis.quota import allocate_quota
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle


class NegativesConfig(Record, frozen=True):
    seed: int
    style: WritingStyle
    shares: dict[str, float]
    positives_per_negative: int
    near_benchmark: float
    max_auc: float
    public_auc: dict[str, float]


def add_negatives(
    groups: Iterable[Group],
    everyday: Sequence[Trajectory],
    teacher: ScriptedTeacher,
    fence: ContaminationFilter,
    p: NegativesConfig,
) -> Iterator[Group]:
    """Every group and one negative, in the order of `groups`, which are read three times."""
    positives = (one for group in groups for one in group.trajectories)
    source = NegativeSource(teacher, positives, everyday)
    negatives = _chosen([_bare(group, teacher.catalogue) for group in groups], source, fence, p)
    for group in groups:
        trajectories = (*group.trajectories, negatives[group.id])
        yield msgspec.structs.replace(group, trajectories=trajectories)


def _bare(group: Group, catalogue: Catalogue) -> Group:
    """Without what takes memory: no trajectories, and every tool only once for all groups."""
    tools = tuple(catalogue.tool(tool.name, group.language) for tool in group.tools)
    return Group(group.id, msgspec.structs.replace(group.prompt, tools=tools), ())


def _chosen(
    groups: Sequence[Group], source: NegativeSource, fence: ContaminationFilter, p: NegativesConfig
) -> dict[str, Trajectory]:
    """A negative for each group id; kinds keep their shares where a group's menu allows it."""
    left = allocate_quota(p.shares, len(groups))
    seen: set[tuple[str, ...]] = set()
    found: dict[str, Trajectory] = {}
    for group in sorted(groups, key=lambda group: random.Random(f"{p.seed}:{group.id}").random()):
        # The kind that is furthest behind its share comes first.
        kinds = sorted(left, key=lambda kind: -left[kind] / (p.shares[kind] or 1))
        negative = next(_fresh(group, kinds, source, fence, seen, p.seed), None)
        if negative is None:
            raise BadInput(f"negatives: no new hard negative for group {group.id}; add remarks")
        left[negative.kind] -= 1
        seen.add((negative.kind, *_asked(negative)))
        found[group.id] = negative
    return found


def _fresh(
    group: Group,
    kinds: Sequence[str],
    source: NegativeSource,
    fence: ContaminationFilter,
    seen: set[tuple[str, ...]],
    seed: int,
) -> Iterator[Trajectory]:
    """Candidates that are neither used already nor in the benchmark."""
    tools = [tool.name for tool in group.tools]
    for kind in kinds:
        rng = random.Random(f"{seed}:{kind}:{group.id}")
        for candidate in KINDS[kind](source, group, rng):
            asked = _asked(candidate)
            if (kind, *asked) not in seen and not any(fence.overlap(one, tools) for one in asked):
                yield candidate


def _asked(trajectory: Trajectory) -> tuple[str, ...]:
    return tuple(turn.text for turn in trajectory.turns if isinstance(turn, User))


def count_kinds(groups: Iterable[Group], p: NegativesConfig) -> Counter[str]:
    """Trajectories by kind; exactly the ratio asked for, since groups are whole."""
    kinds = Counter(one.kind for group in groups for one in group.trajectories)
    negatives = sum(kinds[kind] for kind in KINDS)
    positives = kinds.total() - negatives
    if positives != p.positives_per_negative * negatives:
        raise BadInput(
            f"negatives: {positives} positives to {negatives} negatives; "
            f"negatives.positives_per_negative = {p.positives_per_negative} is to be exact"
        )
    return kinds


def main(
    sound: Path,
    catalogue: Path,
    phrasing: Path,
    everyday: Path,
    protected: Path,
    target: Path,
    metrics: Path,
) -> None:
    p = config.load("negatives", NegativesConfig)
    if unknown := p.shares.keys() - KINDS.keys():
        raise BadInput(
            f"params.yaml: negatives.shares: no kind {sorted(unknown)}; there are {sorted(KINDS)}"
        )
    teacher = ScriptedTeacher(Catalogue(catalogue), yaml_records.read(phrasing, Phrasing), p.style)
    asked = [one for group in jsonl.read(everyday, Group) for one in group.trajectories]
    fence = ContaminationFilter(jsonl.read(protected, ProtectedQuery), p.near_benchmark)
    groups = jsonl.Lines(sound, Group)
    jsonl.write(target, add_negatives(groups, asked, teacher, fence, p))

    written = jsonl.Lines(target, Group)
    kinds = count_kinds(written, p)
    hardness = compute_lexical_auc(written)
    negatives = {kind: kinds[kind] for kind in KINDS}
    total = sum(negatives.values())
    counts = {"positives": kinds.total() - total, "negatives": total, "lexical_auc": hardness}
    counts |= {f"lexical_auc_of_{name}": value for name, value in p.public_auc.items()}
    metrics_file.write(metrics, counts | {f"negatives_{kind}": n for kind, n in negatives.items()})
    print(f"{target}: {kinds.total() - total} positives, {total} negatives {negatives}")
    beside = ", ".join(f"{name} {value}" for name, value in p.public_auc.items())
    print(f"{target}: word overlap tells them apart with AUC {hardness:.3f} ({beside})")
    if hardness > p.max_auc:
        raise BadInput(
            f"{target}: word overlap tells negatives apart with AUC {hardness:.3f}, more than "
            f"negatives.max_auc = {p.max_auc} allows"
        )


if __name__ == "__main__":
    cli.run(main)
