"""Compare two versions of the project task by task: `make compare A=v1 B=workspace`.

Arguments: A B ANSWERS PROMPTS METRICS TARGET SUITE...; writes TARGET.md and TARGET.json. A version
is a commit, a tag, an experiment or `workspace`; `v1:base` takes its base model instead of the
tuned one. Both are scored anew, by the scorer here.

Exit status: 0 if nothing got significantly worse, 1 if something did, 2 if the versions do not
compare. (make itself exits with 2 for either, and prints which: `Error 1`.)
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Json
from agent_tuning.runtime import cli, config
from benchmark.compare import comparison_report
from benchmark.compare.git_versions import LOCK_FILE, DvcLock, StageRun, fetch_files
from benchmark.compare.paired_tests import CompareConfig, Comparison, compare_pairs
from benchmark.scoring import signatures
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import ScoredAnswer, read_answers, score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

REGRESSION, INCOMPARABLE = 1, 2  # exit statuses
# Settings of `predict` by the names that older versions have for them.
RENAMED_SETTINGS = {"rows": "batch_size", "unreadable_tokens": "malformed_stop_tokens"}
OLDER_REQUESTS = "prompts.jsonl"  # what older versions call the file of the requests
# Settings of `predict` that change when answers come, not what they say.
SPEED_SETTINGS = {"batch_size", "threads", "service"}


@dataclass(frozen=True)
class ComparisonPaths:
    """Where the answers of every model, their questions, the metrics and the suites lie."""

    answers: Path
    prompts: Path
    metrics: Path
    suites: tuple[Path, ...]

    @property
    def signature_files(self) -> list[Path]:
        """Any of them may be missing: older versions have no signatures.json."""
        metrics = [self.metrics / f"{suite.name}.json" for suite in self.suites]
        return [self.metrics / signatures.FILE_NAME, *metrics]


@dataclass(frozen=True)
class Version:
    """The answers of one version, scored, and what they have to share with another's."""

    name: str
    rows: list[ScoredAnswer]
    protocol: dict[str, Json]


def load_version(name: str, paths: ComparisonPaths, scoring: ScoreConfig) -> Version:
    """Score the answers of `<version>` or `<version>:<model>`.

    Raises BadInput if the version lacks a file, or has one in a format that the code here no
    longer reads.
    """
    version, _, model = name.partition(":")
    answer_file = paths.answers / f"{model or 'tuned'}.jsonl"
    required = [LOCK_FILE, answer_file, *paths.suites]
    with fetch_files(version, required, optional=paths.signature_files) as folder:
        loaded = [suites.read(folder / suite) for suite in paths.suites]
        known = {task.id for suite in loaded for task in suite.tasks}
        answers = read_answers(folder / answer_file, known)
        run = yaml_records.read(folder / LOCK_FILE, DvcLock).find_run(answer_file)
        signed = signatures.read_signatures(
            folder / paths.metrics, [suite.name for suite in loaded]
        )
    text_scorer = TEXT_SCORERS[scoring.text_scorer]
    rows = (score_answers(suite, model, answers, text_scorer, scoring.lam) for suite in loaded)
    protocol = {
        **_describe_decoding(run, paths.prompts),
        **dict(_describe_scoring(loaded, signed)),
    }
    return Version(name, list(chain.from_iterable(rows)), protocol)


def compare(a: Version, b: Version, settings: CompareConfig) -> Comparison:
    """Raises BadInput if the versions differ in anything but their answers."""
    differences = [
        f"{name} is {a.protocol.get(name)} in {a.name}, {b.protocol.get(name)} in {b.name}"
        for name in sorted(a.protocol.keys() | b.protocol.keys())
        if a.protocol.get(name) != b.protocol.get(name)
    ]
    if differences:
        raise BadInput(f"{a.name} and {b.name}: {'; '.join(differences)}")
    return compare_pairs((a.name, b.name), list(zip(a.rows, b.rows, strict=True)), settings)


def _describe_decoding(run: StageRun, prompts: Path) -> dict[str, Json]:
    """What the model was asked and how it answered, as DVC recorded it."""
    sections = [section for file in run.params.values() for section in file.values()]
    settings = {
        RENAMED_SETTINGS.get(name, name): value
        for section in sections
        for name, value in section.items()
    }
    hashes = {Path(dep.path).name: dep.md5 for dep in run.deps}
    kept = {name: value for name, value in sorted(settings.items()) if name not in SPEED_SETTINGS}
    return {"prompts": hashes.get(prompts.name, hashes.get(OLDER_REQUESTS)), "decoding": kept}


def _describe_scoring(
    loaded: Sequence[Suite], signed: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What the answers were measured by, as that version recorded it."""
    for suite in loaded:
        scorer = signed.get(suite.name, "unsigned").partition("|suite:")[0]
        yield f"scorer of {suite.name}", scorer
        yield f"suite {suite.name}", suite.digest[:12]


def main(
    a: Path, b: Path, answers: Path, prompts: Path, metrics: Path, target: Path, *suites: Path
) -> None:
    settings, scoring = config.load("compare", CompareConfig), config.load("scoring", ScoreConfig)
    paths = ComparisonPaths(answers, prompts, metrics, suites)
    try:
        versions = [load_version(str(name), paths, scoring) for name in (a, b)]
        comparison = compare(versions[0], versions[1], settings)
    except BadInput as error:
        print(f"not comparable: {error}", file=sys.stderr)
        sys.exit(INCOMPARABLE)
    comparison_report.write(comparison, target)
    print(comparison_report.format_markdown(comparison), end="")
    sys.exit(REGRESSION if comparison.worse else 0)


if __name__ == "__main__":
    cli.run(main)
