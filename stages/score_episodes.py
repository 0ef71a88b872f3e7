"""Score the episodes of both models, and of the policies that need none. No model runs here.

reads   benchmark/suites/episodes/        the goals
        data/episodes/{base,tuned}.jsonl  Transcript
writes  data/goals.jsonl                  EpisodeScore, a line per policy and episode
        metrics/episodes.json             flat
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from benchmark.rollouts.config import EpisodesConfig
from benchmark.rollouts.episode_metrics import GoalsConfig, score_policies
from benchmark.scoring.signatures import write_signed_metrics


def main(suite: Path, base: Path, tuned: Path, goals: Path, metrics: Path) -> None:
    settings = config.load("score_episodes", GoalsConfig)
    played = config.load("episodes", EpisodesConfig)
    results = score_policies(suite, (base, tuned), settings, played)
    jsonl.write(goals, results.scores)
    write_signed_metrics(metrics, results.metrics, results.signature)
    print(f"{metrics}: {len(results.scores)} episodes scored")


if __name__ == "__main__":
    cli.run(main)
