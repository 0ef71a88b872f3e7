"""Mix the agent data with general conversation, against forgetting.

reads   data/diverse.jsonl     Group with tools
        data/general.jsonl     Group without, answered by the base model
        data/imported_general.jsonl  Group without, of others
        data/protected.jsonl   queries of the benchmark suites
writes  data/mixed.jsonl       Group
        metrics/mix.json       counts, and the ratio of agent to general trajectories
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.quality.decontamination import DecontaminationConfig, ProtectedQuery
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis import mixing


def main(
    agent: Path, general: Path, imported: Path, protected: Path, mixed: Path, metrics: Path
) -> None:
    p = config.load("mix", mixing.MixConfig)
    decontamination = config.load("decontamination", DecontaminationConfig)
    contamination = decontamination.build_filter(jsonl.read(protected, ProtectedQuery))
    made = jsonl.read(general, Group) if p.self_replies else ()
    own, leaks = mixing.drop_leaks(made, contamination)
    print("".join(f"{general}: left out: {leak}\n" for leak in leaks), end="")
    conversations = [*own, *jsonl.read(imported, Group)]
    jsonl.write(mixed, mixing.mix_groups(jsonl.Lines(agent, Group), conversations, p))
    agents, generals = mixing.count_trajectories(jsonl.read(mixed, Group), p)
    ratio = agents / generals if generals else 0.0
    counts = {"agent": agents, "general": generals, "agent_per_general": ratio}
    metrics_file.write(metrics, counts | {"general_leaks": len(leaks)})
    print(f"{mixed}: {agents} agent and {generals} general trajectories, {ratio:.1f} to 1")


if __name__ == "__main__":
    cli.run(main)
