"""Mix the agent data with general conversation, against forgetting.

reads   data/diverse.jsonl     Group with tools
        data/general.jsonl     Group without
writes  data/mixed.jsonl       Group
        metrics/mix.json       counts, and the ratio that came out
"""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from trajectory import command, jsonl, metricfile, params
from trajectory.records import Group, Record


class Params(Record, frozen=True):
    seed: int
    agent_per_general: float


def share(general: Sequence[Group], wanted: int, seed: int) -> list[Group]:
    """General groups with `wanted` trajectories in all, or every one if there are fewer."""
    order = sorted(general, key=lambda group: random.Random(f"{seed}:{group.id}").random())
    kept: list[Group] = []
    for group in order:
        part = group.trajectories[: max(0, wanted)]
        wanted -= len(part)
        if part:
            kept.append(msgspec.structs.replace(group, trajectories=part))
    return kept


def main(agent: Path, general: Path, target: Path, metrics: Path) -> None:
    p = params.load("mix", Params)
    tools = list(jsonl.read(agent, Group))
    agents = sum(len(group.trajectories) for group in tools)
    chosen = share(list(jsonl.read(general, Group)), round(agents / p.agent_per_general), p.seed)
    generals = sum(len(group.trajectories) for group in chosen)
    jsonl.write(target, [*tools, *chosen])
    ratio = agents / generals if generals else 0.0
    counts = {"agent": agents, "general": generals, "agent_per_general": ratio}
    metricfile.write(metrics, counts)
    print(f"{target}: {agents} agent and {generals} general trajectories, {ratio:.1f} to 1")


if __name__ == "__main__":
    command.run(main)
