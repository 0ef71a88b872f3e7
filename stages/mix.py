"""Mix the agent data with general conversation, against forgetting.

reads   data/diverse.jsonl     Group with tools
        data/general.jsonl     Group without
writes  data/mixed.jsonl       Group
        metrics/mix.json       counts, and the ratio that came out
"""

import random
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import BadInput, Group, Record
from agent_tuning.runtime import cli, config


class MixConfig(Record, frozen=True):
    seed: int
    agent_per_general: float


def draw_general(general: Sequence[Group], wanted: int, seed: int) -> list[Group]:
    """General groups with `wanted` trajectories in all, or every one if there are fewer."""
    order = sorted(general, key=lambda group: random.Random(f"{seed}:{group.id}").random())
    kept: list[Group] = []
    for group in order:
        part = group.trajectories[: max(0, wanted)]
        wanted -= len(part)
        if part:
            kept.append(msgspec.structs.replace(group, trajectories=part))
    return kept


def count_trajectories(groups: Iterable[Group], p: MixConfig) -> tuple[int, int]:
    """Agent and general trajectories; another ratio than asked for fails by name.

    Only rounding to a whole trajectory is left: a general group gives as many as are wanted.
    """
    agents = generals = 0
    for group in groups:
        agents += len(group.trajectories) if group.tools else 0
        generals += 0 if group.tools else len(group.trajectories)
    wanted = agents / p.agent_per_general
    if abs(generals - wanted) > 0.5:
        raise BadInput(
            f"mix: {agents} agent to {generals} general trajectories; mix.agent_per_general = "
            f"{p.agent_per_general:g} wants {wanted:.0f} general ones: add questions or raise it"
        )
    return agents, generals


def main(agent: Path, general: Path, target: Path, metrics: Path) -> None:
    p = config.load("mix", MixConfig)
    tools = jsonl.Lines(agent, Group)
    wanted = round(sum(len(group.trajectories) for group in tools) / p.agent_per_general)
    chosen = draw_general(list(jsonl.read(general, Group)), wanted, p.seed)
    jsonl.write(target, chain(tools, chosen))
    agents, generals = count_trajectories(jsonl.read(target, Group), p)
    ratio = agents / generals if generals else 0.0
    counts = {"agent": agents, "general": generals, "agent_per_general": ratio}
    metrics_file.write(metrics, counts)
    print(f"{target}: {agents} agent and {generals} general trajectories, {ratio:.1f} to 1")


if __name__ == "__main__":
    cli.run(main)
