"""How much general conversation goes among the agent data, against forgetting."""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.validation import list_queries
from agent_tuning.records import BadInput, Group, Record
from agent_tuning.runtime.ranges import AboveZero, Seed
from agent_tuning.synthesis.written_examples import Kind


class MixConfig(Record, frozen=True):
    """The section `mix` of params.yaml, where each key is explained."""

    seed: Seed
    agent_per_general: AboveZero
    native: bool
    unit: Literal["trajectories", "bytes"] = "trajectories"
    self_replies: bool = True
    leave_out: tuple[Kind | Literal["already_answered"], ...] = ()


def mix_groups(
    agent: Iterable[Group], general: Sequence[Group], config: MixConfig
) -> Iterator[Group]:
    """Agent groups without `leave_out`, then as many general conversations as the ratio asks for.

    `agent` is read twice, so that it need not fit into memory.
    """
    kept = leave_out_kinds(agent, config.leave_out)
    total = sum(size for _, size in _measure_groups(kept, config))
    yield from leave_out_kinds(agent, config.leave_out)
    wanted = total / config.agent_per_general
    if config.unit == "trajectories":
        drawn = draw_general(general, round(wanted), config.seed)
    else:
        drawn = draw_bytes(general, wanted, config)
    for group in drawn:
        prompt = group.prompt.make_native() if config.native else group.prompt
        yield msgspec.structs.replace(group, prompt=prompt)


def leave_out_kinds(groups: Iterable[Group], kinds: Collection[str]) -> Iterator[Group]:
    """The groups without trajectories of these kinds; a group that had no others is gone."""
    for group in groups:
        if not kinds:
            yield group
            continue
        kept = tuple(one for one in group.trajectories if one.kind not in kinds)
        if kept:
            yield msgspec.structs.replace(group, trajectories=kept)


def drop_leaks(
    groups: Iterable[Group], contamination: ContaminationFilter
) -> tuple[list[Group], list[str]]:
    """The groups without conversations in which a user asks what a benchmark asks, and these."""
    kept: list[Group] = []
    leaks: list[str] = []
    for group in groups:
        sound = []
        for trajectory in group.trajectories:
            for query in list_queries(trajectory):
                if leak := contamination.find_leak(query, ()):
                    leaks.append(f"{trajectory.id}: {leak.reason}: {leak.task}: {query}")
                    break
            else:
                sound.append(trajectory)
        if sound:
            kept.append(msgspec.structs.replace(group, trajectories=tuple(sound)))
    return kept, leaks


def draw_general(general: Sequence[Group], wanted: int, seed: int) -> list[Group]:
    """General groups with `wanted` trajectories in all, or every one if there are fewer."""
    order = sorted(general, key=lambda group: random.Random(f"{seed}:{group.id}").random())
    drawn: list[Group] = []
    for group in order:
        trajectories = group.trajectories[: max(0, wanted)]
        wanted -= len(trajectories)
        if trajectories:
            drawn.append(msgspec.structs.replace(group, trajectories=trajectories))
    return drawn


def draw_bytes(general: Sequence[Group], wanted: float, config: MixConfig) -> list[Group]:
    """Whole general groups, until they have `wanted` bytes."""
    order = sorted(general, key=lambda group: random.Random(f"{config.seed}:{group.id}").random())
    drawn: list[Group] = []
    for group, size in _measure_groups(order, config):
        if wanted <= 0:
            break
        drawn.append(group)
        wanted -= size
    return drawn


def measure(group: Group, known_prompts: set[str]) -> int:
    """Bytes of the group's turns, and of its tools if no group before it has the prompt.

    Packs hold a shared prompt once. Bytes stand for tokens: one mix serves every tokenizer.
    """
    turns = sum(len(msgspec.json.encode(one.turns)) for one in group.trajectories)
    tools = 0 if group.prompt.id in known_prompts else len(msgspec.json.encode(group.tools))
    known_prompts.add(group.prompt.id)
    return turns + tools


def _measure_groups(groups: Iterable[Group], config: MixConfig) -> Iterator[tuple[Group, int]]:
    """Each group with its size in the unit of the ratio."""
    known: set[str] = set()
    for group in groups:
        by_count = config.unit == "trajectories"
        yield group, len(group.trajectories) if by_count else measure(group, known)


def count_trajectories(groups: Iterable[Group], config: MixConfig) -> tuple[int, int]:
    """The number of agent and of general trajectories.

    Raises BadInput if the ratio is not as set. Only rounding to a whole trajectory is allowed,
    since a general group gives as many trajectories as are wanted.
    """
    counts, sizes, largest = [0, 0], [0, 0], 0
    for group, size in _measure_groups(groups, config):
        general = not group.tools
        counts[general] += len(group.trajectories)
        sizes[general] += size
        largest = max(largest, size) if general else largest
    wanted = sizes[0] / config.agent_per_general
    allowed = 0.5 if config.unit == "trajectories" else max(largest, 1)
    if abs(sizes[1] - wanted) > allowed:
        raise BadInput(
            f"mix: {sizes[0]} agent to {sizes[1]} general {config.unit}; mix.agent_per_general = "
            f"{config.agent_per_general:g} requires {wanted:.0f} general ones: "
            "raise mix.agent_per_general, or add questions to data/general.yaml or imported ones"
        )
    return counts[0], counts[1]
