"""Judge the episodes of both models, and of the policies that need none; no model is run here.

reads   benchmark/suites/episodes/     the goals
        data/episodes/{base,tuned}.jsonl  Transcript
writes  data/goals.jsonl               Judged, a line per model and episode
        metrics/episodes.json          flat
"""

from pathlib import Path

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from benchmark.rollouts import goal_scoring, rollout
from benchmark.rollouts.rollout import POLICIES, Transcript
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episodes


class EpisodeSlice(Record, frozen=True, forbid_unknown_fields=False):
    """What `episodes` played, and how long."""

    tasks: int
    attempts: int
    steps: int


class GoalsConfig(Record, frozen=True):
    bootstrap: int
    seed: int


def read_transcripts(path: Path, suite: Episodes) -> list[Transcript]:
    """Of episodes of this suite, each once."""
    known = {one.id for one in suite.episodes}
    found: dict[str, Transcript] = {}
    for line, one in enumerate(jsonl.read(path, Transcript), 1):
        if one.episode not in known or one.episode in found:
            problem = "is a second time here" if one.episode in known else "is no episode here"
            raise BadInput(f"{path}:{line}: episode: {one.episode!r} {problem}")
        found[one.episode] = one
    return list(found.values())


def main(folder: Path, base: Path, tuned: Path, lines: Path, metrics: Path) -> None:
    p, played = config.load("goals", GoalsConfig), config.load("episodes", EpisodeSlice)
    suite = episodes.read(folder).slice(played.tasks, played.attempts)
    said = {path.stem: read_transcripts(path, suite) for path in (base, tuned)}
    said |= {
        name: rollout.run_rollouts(suite, policy, played.steps) for name, policy in POLICIES.items()
    }
    judged = {
        name: list(goal_scoring.score_episodes(suite, name, found)) for name, found in said.items()
    }
    flat: dict[str, float] = {f"signature.suite:{suite.digest[:12]}|steps:{played.steps}": 1}
    for name, rows in judged.items():
        found = goal_scoring.compute_metrics(rows, p.bootstrap, p.seed)
        flat |= {f"{name}.{metric}": value for metric, value in found.items()}
    jsonl.write(lines, (row for rows in judged.values() for row in rows))
    metrics_file.write(metrics, flat)
    print(f"{metrics}: {len(suite.episodes)} episodes, {len(judged)} policies")


if __name__ == "__main__":
    cli.run(main)
