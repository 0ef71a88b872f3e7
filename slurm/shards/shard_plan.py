"""The shards of a synthesis: who asks for what, knowing what, with what share of the money.

A group goes to a shard by a hash of its id, so that what others ask for changes nothing for it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agent_tuning.chat_model.messages import Ask, Reply
from agent_tuning.files import jsonl
from agent_tuning.runtime import config
from agent_tuning.synthesis.teachers import GroupRequest
from agent_tuning.synthesis.teachers.replay import ReplayTeacher
from agent_tuning.synthesis.teachers.select import SynthesizeConfig
from slurm.sizing import sizes


class UnansweredGroup(NamedTuple):
    """A group that still lacks answers, and those that it has."""

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
    p: SynthesizeConfig, replay: ReplayTeacher, plan: Path, count: int, folder: Path
) -> None:
    """Make the shards' folders in a new run folder."""
    parts: list[list[UnansweredGroup]] = [[] for _ in range(count)]
    for part in unanswered_groups(replay, jsonl.read(plan, GroupRequest)):
        parts[shard_of(part.request.id, count)].append(part)
    spent = sum(replay.price.paid(reply).usd for reply in replay.store)
    share = None if p.budget is None else max(0.0, p.budget - spent) / count
    for index, mine in enumerate(parts):
        if mine:
            _shard(replay, mine, share, folder / f"shards/{index}")


def _shard(
    replay: ReplayTeacher, mine: list[UnansweredGroup], share: float | None, folder: Path
) -> None:
    known = [reply for part in mine for reply in part.known]
    jsonl.write(folder / "plan.jsonl", [part.request for part in mine])
    jsonl.write(folder / "replies.jsonl", known)
    section = config.load("synthesize", dict[str, Any])
    if share is not None:  # the stage counts all that is in its store
        section = section | {"budget": share + sum(replay.price.paid(one).usd for one in known)}
    sizes.write_section("synthesize", section, folder / "params.yaml")
