"""What treats a group by itself gives the same bytes in any number of shards."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from agent_tuning.records import Group
from agent_tuning.synthesis.diversify import diversify
from agent_tuning.synthesis.teachers import GroupRequest
from slurm.shards.shard_plan import shard_of
from tests.support import default_data


def write(groups: Iterable[Group]) -> bytes:
    return b"".join(msgspec.json.encode(group) + b"\n" for group in groups)


def in_shards(
    items: list[GroupRequest] | list[Group],
    count: int,
    stage: Callable[[Iterable[GroupRequest | Group]], Iterator[Group]],
) -> list[Group]:
    """The groups that the stage gives in `count` shards, in the order of the items."""
    made: dict[str, Group] = {}
    for shard in range(count):
        part = [item for item in items if shard_of(item.id, count) == shard]
        made |= {group.id: group for group in stage(part)}
    return [made[item.id] for item in items]


@pytest.mark.parametrize("count", [1, 4, 16])
def test_positives_and_prompts_do_not_depend_on_the_number_of_shards(count):
    requests = default_data.requests()[:60]
    assert len({shard_of(request.id, count) for request in requests}) > count // 2

    def synthesize(part):
        return map(default_data.teacher(default_data.NEGATIVES.style).group, part)

    groups = list(synthesize(requests))
    assert write(in_shards(requests, count, synthesize)) == write(groups)

    def choose_prompts(part):
        return diversify(part, default_data.DIVERSIFY, default_data.HELD_OUT)

    whole = list(choose_prompts(groups))
    assert write(in_shards(groups, count, choose_prompts)) == write(whole)
