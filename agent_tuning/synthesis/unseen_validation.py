"""Validation examples that training resembles measure what was learnt by heart: leave them out."""

from collections.abc import Iterable

import msgspec

from agent_tuning.quality.decontamination import DecontaminationConfig, ProtectedQuery
from agent_tuning.quality.validation import list_queries
from agent_tuning.records import Group


def keep_unseen(
    validation: Iterable[Group], training: Iterable[Group], config: DecontaminationConfig
) -> list[Group]:
    """The groups without examples whose query training has, edited at most.

    Training keeps its examples: people write pairs, such as a request with a value and without, and
    one of a pair may be held back.
    """
    validation = list(validation)
    queries = [
        ProtectedQuery(query, trajectory.id, tuple(tool.name for tool in group.tools))
        for group in validation
        for trajectory in group.trajectories
        for query in list_queries(trajectory)
    ]
    if not queries:
        return validation
    protected = config.build_filter(queries)
    seen = {
        leak.task
        for group in training
        for trajectory in group.trajectories
        for query in list_queries(trajectory)
        for leak in protected.find_leaks(query, (tool.name for tool in group.tools))
    }
    kept = []
    for group in validation:
        unseen = tuple(one for one in group.trajectories if one.id not in seen)
        if unseen:
            kept.append(msgspec.structs.replace(group, trajectories=unseen))
    total = sum(len(group.trajectories) for group in validation)
    print(f"validation: {len(seen)} of {total} examples left out: training has their like")
    return kept
