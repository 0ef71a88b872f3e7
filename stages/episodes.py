"""Let one model act in the simulated worlds; a killed run resumes where it stopped.

reads   benchmark/suites/episodes/     tools, prompts and episodes
        data/base/ or models/tuned/
        data/code_hashes/episodes.json    the hash of this code
writes  data/episodes/{base,tuned}.jsonl  Transcript, in the order of the suite

The model's replies are appended to a file in scratch/episodes/, whose name is a hash of all inputs.
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cache_key import compute_run_key
from agent_tuning.runtime.cpu import configure_threads
from benchmark.rollouts.config import EpisodesConfig, read_played
from benchmark.rollouts.model_policy import ModelPolicy
from benchmark.rollouts.rollout import run_rollouts

SCRATCH = Path("scratch/episodes")


def main(suite: Path, model: Path, code: Path, transcripts: Path) -> None:
    p = config.load("episodes", EpisodesConfig)
    configure_threads(p.threads)
    played = read_played(suite, p)
    files = [suite / f"{name}.jsonl" for name in ("tools", "prompts", "episodes")]
    key = compute_run_key(p, [*files, model, code])
    policy = ModelPolicy(model, SCRATCH / f"{transcripts.stem}-{key}.jsonl", p)
    count = jsonl.write(transcripts, run_rollouts(played, policy, p.steps))
    print(f"{transcripts}: {count} episodes")


if __name__ == "__main__":
    cli.run(main)
