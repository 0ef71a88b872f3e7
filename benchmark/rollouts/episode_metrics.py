"""Score the episodes of several models, and of the policies that need no model."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.ranges import AtLeastOne, Seed
from benchmark.rollouts import goal_scoring, rollout
from benchmark.rollouts.config import EpisodesConfig, read_played
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.rollouts.rollout import POLICIES, Transcript
from benchmark.tasks.episodes import Episodes


class GoalsConfig(Record, frozen=True):
    bootstrap: AtLeastOne
    seed: Seed


@dataclass(frozen=True)
class EpisodeResults:
    scores: list[EpisodeScore]  # policy by policy, in the order of the suite
    metrics: dict[str, float]  # `<policy>.<metric>`
    signature: str


def score_policies(
    folder: Path, transcripts: Iterable[Path], config: GoalsConfig, played: EpisodesConfig
) -> EpisodeResults:
    """Score each file `<model>.jsonl` of transcripts, then the policies of POLICIES.

    `folder` is the suite of episodes. Raises BadInput for a transcript of an unknown episode.
    """
    suite = read_played(folder, played)
    by_policy = {path.stem: read_transcripts(path, suite) for path in transcripts}
    for name, policy in POLICIES.items():
        by_policy[name] = list(rollout.run_rollouts(suite, policy, played.steps))
    scores: list[EpisodeScore] = []
    metrics: dict[str, float] = {}
    for name, policy_transcripts in by_policy.items():
        rows = list(goal_scoring.score_episodes(suite, name, policy_transcripts))
        values = goal_scoring.compute_metrics(rows, config.bootstrap, config.seed)
        metrics |= {f"{name}.{metric}": value for metric, value in values.items()}
        scores += rows
    signature = f"suite:{suite.digest[:12]}|steps:{played.steps}"
    return EpisodeResults(scores, metrics, signature)


def read_transcripts(path: Path, suite: Episodes) -> list[Transcript]:
    """The transcripts of one model; an unknown or repeated episode stops with its line."""
    known = {episode.id for episode in suite.episodes}
    transcripts: dict[str, Transcript] = {}
    for line, transcript in enumerate(jsonl.read(path, Transcript), 1):
        name = transcript.episode
        if name not in known or name in transcripts:
            problem = "appears twice" if name in known else "is not in the suite"
            raise BadInput(f"{path}:{line}: episode: {name!r} {problem}")
        transcripts[name] = transcript
    return list(transcripts.values())
