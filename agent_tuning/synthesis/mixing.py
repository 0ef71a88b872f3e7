"""How much general conversation goes among the agent data, against forgetting."""

import random
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agent_tuning.records import NATIVE, BadInput, Group, Record


class MixConfig(Record, frozen=True):
    """The section `mix` of params.yaml, where each key is explained."""

    seed: int
    agent_per_general: float
    native: bool


def mix_groups(
    agent: Iterable[Group], general: Sequence[Group], config: MixConfig
) -> Iterator[Group]:
    """All agent groups, then as many general conversations as the ratio asks for.

    `agent` is read twice, so that it need not fit into memory.
    """
    total = sum(len(group.trajectories) for group in agent)
    yield from agent
    for group in draw_general(general, round(total / config.agent_per_general), config.seed):
        yield make_native(group) if config.native else group


def make_native(group: Group) -> Group:
    """The group under the prompt of the model's own chat template."""
    prompt = msgspec.structs.replace(
        group.prompt, template=NATIVE, tool_format=NATIVE, reply_format=NATIVE
    )
    return msgspec.structs.replace(group, prompt=prompt)


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


def count_trajectories(groups: Iterable[Group], config: MixConfig) -> tuple[int, int]:
    """The number of agent and of general trajectories.

    Raises BadInput if the ratio is not as set. Only rounding to a whole trajectory is allowed,
    since a general group gives as many trajectories as are wanted.
    """
    agents = generals = 0
    for group in groups:
        if group.tools:
            agents += len(group.trajectories)
        else:
            generals += len(group.trajectories)
    wanted = agents / config.agent_per_general
    if abs(generals - wanted) > 0.5:
        raise BadInput(
            f"mix: {agents} agent to {generals} general trajectories; mix.agent_per_general = "
            f"{config.agent_per_general:g} requires {wanted:.0f} general ones: "
            "raise mix.agent_per_general, or add questions to data/general.yaml"
        )
    return agents, generals
