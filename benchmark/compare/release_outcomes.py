"""Keep what this version got right beside its metrics, before a release: `make outcomes`.

Arguments: ANSWERS PROMPTS METRICS SUITE..., as `make compare` has them.
"""

from pathlib import Path

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from benchmark.compare import outcomes
from benchmark.compare.compare_versions import ComparisonPaths, load_version
from benchmark.compare.git_versions import WORKSPACE
from benchmark.scoring.score_suites import ScoreConfig


def main(answers: Path, prompts: Path, metrics: Path, *suites: Path) -> None:
    paths = ComparisonPaths(answers, prompts, metrics, suites)
    version = load_version(WORKSPACE, paths, config.load("scoring", ScoreConfig))
    if version.outcomes_only:
        raise BadInput(f"{answers}: no answers here; run `make repro`, or `dvc pull`")
    outcomes.write(metrics, version.rows, version.protocol, version.answers)
    file, protocol = metrics / outcomes.FILE, metrics / outcomes.PROTOCOL_FILE
    print(f"{file}: {len(version.rows)} tasks; commit it and {protocol}")


if __name__ == "__main__":
    cli.run(main)
