"""Which hard negative every group gets: kinds keep their shares, no query comes twice."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.validation import list_queries
from agent_tuning.records import BadInput, Group, Record, Trajectory
from agent_tuning.runtime.ranges import AtLeastOne, Seed, Share
from agent_tuning.synthesis.hard_negatives import (
    KINDS,
    NARROW,
    GrammarWidth,
    NegativeSource,
    strip_preface,
)
from agent_tuning.synthesis.quota import allocate_quota
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle

OUTSIDE_REQUESTS = 4  # wordings of one scenario of a tool that no list offers


class NegativesConfig(Record, frozen=True):
    """The section `add_hard_negatives` of params.yaml, where each key is explained."""

    seed: Seed
    style: WritingStyle
    shares: dict[str, Share]
    other_domains: tuple[str, ...]
    positives_per_negative: AtLeastOne
    max_auc: Share
    public_auc: dict[str, Share]
    missing_wordings: AtLeastOne = NARROW.missing_wordings
    prefaced: Share = NARROW.prefaced
    tolerance: Share = 1.0
    self_replies: bool = True


def check_config(config: NegativesConfig) -> None:
    """Raises BadInput if a kind in `shares` does not exist."""
    if unknown := config.shares.keys() - KINDS.keys():
        raise BadInput(
            f"params.yaml: add_hard_negatives.shares: unknown: {sorted(unknown)}; "
            f"available: {', '.join(sorted(KINDS))}"
        )


def add_negatives(
    groups: Iterable[Group],
    general_questions: Sequence[Trajectory],
    teacher: ScriptedTeacher,
    contamination: ContaminationFilter,
    config: NegativesConfig,
    outside: Collection[str] = (),
) -> Iterator[Group]:
    """Every group with one hard negative added, in the order of `groups`.

    `groups` are read three times, so that they need not fit into memory. `outside` are tools that
    no list offers: what users ask of them is written here, as no group has it.
    """
    positives = chain(
        (trajectory for group in groups for trajectory in group.trajectories),
        write_outside_requests(teacher, sorted(outside)),
    )
    width = GrammarWidth(config.missing_wordings, config.prefaced)
    source = NegativeSource(teacher, positives, general_questions, outside=outside, width=width)
    bare_groups = [_strip_group(group, teacher.catalogue) for group in groups]
    negatives = _choose_negatives(bare_groups, source, contamination, config)
    for group in groups:
        trajectories = (*group.trajectories, negatives[group.id])
        yield msgspec.structs.replace(group, trajectories=trajectories)


def write_outside_requests(teacher: ScriptedTeacher, tools: Iterable[str]) -> Iterator[Trajectory]:
    """English requests for one call each, `OUTSIDE_REQUESTS` of every scenario of these tools."""
    for tool in tools:
        for scenario in teacher.catalogue.entries[tool].scenarios:
            if scenario.complexity == "simple":
                for number in range(OUTSIDE_REQUESTS):
                    request = TrajectoryRequest(tool, scenario.name, "simple", number)
                    yield teacher.write_positive(request, "en")


def _strip_group(group: Group, catalogue: Catalogue) -> Group:
    """A group that takes little memory: no trajectories, and tools that all groups share."""
    tools = tuple(catalogue.tool(tool.name, group.language) for tool in group.tools)
    return Group(group.id, msgspec.structs.replace(group.prompt, tools=tools), ())


def _choose_negatives(
    groups: Sequence[Group],
    source: NegativeSource,
    contamination: ContaminationFilter,
    config: NegativesConfig,
) -> dict[str, Trajectory]:
    """A negative for each group id. Kinds keep their shares where a group's tools allow it."""
    left = allocate_quota(config.shares, len(groups))
    used: set[tuple[str, ...]] = set()
    negatives: dict[str, Trajectory] = {}
    order = {group.id: random.Random(f"{config.seed}:{group.id}").random() for group in groups}
    for group in sorted(groups, key=lambda group: order[group.id]):
        # The kind that is furthest behind its share comes first.
        kinds = sorted(left, key=lambda kind: -left[kind] / (config.shares[kind] or 1))
        candidates = _generate_candidates(group, kinds, source, contamination, used, config.seed)
        negative = next(candidates, None)
        if negative is None:
            raise BadInput(
                f"add_hard_negatives: group {group.id}: no unused hard negative is left; "
                "add `remarks` to the catalogue's domains or phrasings to data/phrasing.yaml"
            )
        left[negative.kind] -= 1
        used.add((negative.kind, *list_queries(negative)))
        negatives[group.id] = negative
    return negatives


def _generate_candidates(
    group: Group,
    kinds: Sequence[str],
    source: NegativeSource,
    contamination: ContaminationFilter,
    used: set[tuple[str, ...]],
    seed: int,
) -> Iterator[Trajectory]:
    """Candidates that are neither used already nor in the benchmark."""
    tools = [tool.name for tool in group.tools]
    for kind in kinds:
        rng = random.Random(f"{seed}:{KINDS[kind].seed_word}:{group.id}")
        for candidate in KINDS[kind].generate(source, group, rng):
            queries = list_queries(candidate)
            alone = (strip_preface(query, source, group.language) for query in queries)
            if (kind, *queries) not in used and not any(
                contamination.overlap(query, tools) for query in dict.fromkeys([*queries, *alone])
            ):
                yield candidate


def count_kinds(groups: Iterable[Group], config: NegativesConfig) -> Counter[str]:
    """Trajectories by kind. Raises BadInput if positives to negatives is not exactly as set."""
    kinds = Counter(trajectory.kind for group in groups for trajectory in group.trajectories)
    negatives = sum(kinds[kind] for kind in KINDS)
    positives = kinds.total() - negatives
    if positives != config.positives_per_negative * negatives:
        raise BadInput(
            f"add_hard_negatives: {positives} positives, {negatives} negatives: "
            "expected exactly add_hard_negatives.positives_per_negative = "
            f"{config.positives_per_negative} positives for each negative"
        )
    return kinds


def check_shares(kinds: Mapping[str, int], config: NegativesConfig) -> None:
    """Raises BadInput if a kind's share of the negatives is further from the wanted one than set.

    Another kind takes the place of one that is used up, so a large plan drifts.
    """
    total = sum(kinds.get(kind, 0) for kind in KINDS) or 1
    scale = sum(config.shares.values())
    for kind, share in config.shares.items():
        have, wanted = kinds.get(kind, 0), round(share / scale * total)
        if abs(have - wanted) > max(1, config.tolerance * total):
            raise BadInput(
                f"add_hard_negatives: {have} of {total} hard negatives are {kind}, wanted {wanted}"
                f" (add_hard_negatives.tolerance = {config.tolerance:g}): if a kind is used up, add"
                " phrasings or imported data, or lower plan.groups"
            )


def check_auc(auc: float, max_auc: float, groups: Path) -> None:
    """Raises BadInput if word overlap separates negatives from positives too well (AUC, 0.5-1)."""
    if auc > max_auc:
        raise BadInput(
            f"{groups}: word overlap separates negatives from positives with AUC {auc:.3f}, "
            f"more than add_hard_negatives.max_auc = {max_auc}; make the negatives of "
            "data/phrasing.yaml closer to requests"
        )


def summarize(
    kinds: Mapping[str, int], auc: float, public_auc: Mapping[str, float]
) -> dict[str, float]:
    """The metrics: trajectories by kind, and the lexical AUC beside that of public sets."""
    negatives = sum(kinds.get(kind, 0) for kind in KINDS)
    return {
        "positives": sum(kinds.values()) - negatives,
        "negatives": negatives,
        "lexical_auc": auc,
        **{f"lexical_auc_of_{name}": value for name, value in public_auc.items()},
        **{f"negatives_{kind}": kinds.get(kind, 0) for kind in KINDS},
    }
