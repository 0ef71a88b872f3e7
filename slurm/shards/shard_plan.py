"""The shards of a synthesis: which groups, which known answers, which share of the budget.

A group goes to a shard by a hash of its id. So the other groups do not change where it goes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from agent_tuning.chat_model.messages import Ask, Reply
from agent_tuning.files import jsonl
from agent_tuning.synthesis.teachers import GroupRequest
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from slurm.sizing import sizes
from slurm.sizing.sizes import Section


class UnansweredGroup(NamedTuple):
    """A group that still lacks answers, with the answers that it has."""

    request: GroupRequest
    known: tuple[Reply, ...]


def shard_of(group: str, count: int) -> int:
    return int.from_bytes(hashlib.blake2b(group.encode(), digest_size=8).digest()) % count


def unanswered_groups(
    replay: ReplayTeacher, requests: Iterable[GroupRequest]
) -> Iterator[UnansweredGroup]:
    for request in requests:
        known: list[Reply] = []
        answered = [
            _collect_known(replay, request, index, known) for index in range(len(request.items))
        ]
        if not all(answered):
            yield UnansweredGroup(request, tuple(known))


def _collect_known(
    replay: ReplayTeacher, request: GroupRequest, index: int, known: list[Reply]
) -> bool:
    """Add the stored answers of a trajectory to `known`; False if one is missing."""

    def answer(ask: Ask) -> Reply | None:
        reply = replay.find_answer(ask)
        known.extend([reply] if reply else [])
        return reply

    return replay.author.find_unanswered(request, request.items[index], answer) is None


def write_shards(
    sections: Mapping[str, Section], replay: ReplayTeacher, plan: Path, count: int, folder: Path
) -> None:
    """Write the folders of the shards into a new run folder.

    `sections` are `synthesize` and `chat_model`. What is left of the budget is split evenly.
    """
    shards: list[list[UnansweredGroup]] = [[] for _ in range(count)]
    for group in unanswered_groups(replay, jsonl.read(plan, GroupRequest)):
        shards[shard_of(group.request.id, count)].append(group)
    budget = sections["chat_model"]["budget"]
    spent = sum(replay.price.usage_of(reply).usd for reply in replay.store)
    share = None if budget is None else max(0.0, budget - spent) / count
    for index, groups in enumerate(shards):
        if groups:
            _write_shard(sections, replay, groups, share, folder / f"shards/{index}")


def _write_shard(
    sections: Mapping[str, Section],
    replay: ReplayTeacher,
    groups: list[UnansweredGroup],
    share: float | None,
    folder: Path,
) -> None:
    known = [reply for group in groups for reply in group.known]
    jsonl.write(folder / "plan.jsonl", [group.request for group in groups])
    jsonl.write(folder / "replies.jsonl", known)
    if share is not None:  # the stage counts the cost of all that is in its store
        budget = share + sum(replay.price.usage_of(reply).usd for reply in known)
        sections = {**sections, "chat_model": sections["chat_model"] | {"budget": budget}}
    sizes.write_sections(sections, folder / "params.yaml")
