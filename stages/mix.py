"""Mix the agent data with general conversation, against forgetting.

reads   data/diverse.jsonl     Group with tools
        data/general.jsonl     Group without
writes  data/mixed.jsonl       Group
        metrics/mix.json       counts, and the ratio of agent to general trajectories
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import mixing


def main(agent: Path, general: Path, mixed: Path, metrics: Path) -> None:
    p = config.load("mix", mixing.MixConfig)
    conversations = list(jsonl.read(general, Group))
    jsonl.write(mixed, mixing.mix_groups(jsonl.Lines(agent, Group), conversations, p))
    agents, generals = mixing.count_trajectories(jsonl.read(mixed, Group), p)
    ratio = agents / generals if generals else 0.0
    metrics_file.write(metrics, {"agent": agents, "general": generals, "agent_per_general": ratio})
    print(f"{mixed}: {agents} agent and {generals} general trajectories, {ratio:.1f} to 1")


if __name__ == "__main__":
    cli.run(main)
