"""Compare two versions of the project task by task: `make compare A=v1 B=workspace`.

Arguments: A B ANSWERS PROMPTS METRICS TARGET SUITE..., and --base BASE for the tokenizer that
prompts are shown by; writes TARGET.md, TARGET.json and the page TARGET.html. A version
is a commit, a tag, an experiment or `workspace`; `v1:base` takes its base model instead of the
tuned one. Both are scored anew, by the scorer here. Of a version whose answers are in no cache
here, the outcomes count that it was released with (`make outcomes`).

Exit status: 0 if nothing got significantly worse, 1 if something did, 2 if the versions do not
compare. (make itself exits with 2 for either, and prints which: `Error 1`.)
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Json
from agent_tuning.runtime import cli, config
from benchmark.compare import comparison_report, outcomes
from benchmark.compare.git_versions import LOCK_FILE, DvcLock, NotInCache, StageRun, fetch_files
from benchmark.compare.paired_tests import CompareConfig, Comparison, compare_pairs
from benchmark.pages import answers as answers_page
from benchmark.pages import row_page
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
TUNED = "tuned"
DECODING = {"prompts", "decoding"}  # keys of a protocol, beside those of each suite


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
    """The answers of one version, scored, and what they have to share with another's.

    `outcomes_only`: its answers are not here, so its rows have no texts. `answers` is the MD5 of
    those that are.
    """

    name: str
    rows: list[ScoredAnswer]
    protocol: dict[str, Json]
    suites: Sequence[Suite] = ()
    answers: str = ""
    outcomes_only: bool = False


def load_versions(
    names: tuple[str, str], paths: ComparisonPaths, scoring: ScoreConfig
) -> tuple[Version, Version]:
    """Both versions; one without answers has the questions of the other. Raises BadInput."""
    a, b = (load_version(name, paths, scoring) for name in names)
    return _share_questions(a, b), _share_questions(b, a)


def load_version(name: str, paths: ComparisonPaths, scoring: ScoreConfig) -> Version:
    """Score the answers of `<version>` or `<version>:<model>`.

    Where no cache here holds the answers of its tuned model, the outcomes count that the version
    was released with. Raises BadInput if the version lacks a file, or has one in a format that the
    code here no longer reads.
    """
    try:
        return _score_version(name, paths, scoring)
    except NotInCache:
        version, _, model = name.partition(":")
        kept = None if model not in ("", TUNED) else _read_outcomes(version, paths)
        if kept is None:
            raise
        return replace(kept, name=name)


def _read_outcomes(version: str, paths: ComparisonPaths) -> Version | None:
    """The outcomes of the suites in question; None if the version was released without.

    Raises NotInCache if they are of other answers than the version has.
    """
    answers = paths.answers / f"{TUNED}.jsonl"
    files = [paths.metrics / name for name in (outcomes.FILE, outcomes.PROTOCOL_FILE)]
    with fetch_files(version, [LOCK_FILE], optional=files) as folder:
        if not all((folder / file).exists() for file in files):
            return None
        rows, protocol = outcomes.read(folder / paths.metrics, TUNED)
        expected = yaml_records.read(folder / LOCK_FILE, DvcLock).find_hash(answers)
    if protocol.get(outcomes.ANSWERS) != expected:
        raise NotInCache(
            f"{version}: {files[0]}: of other answers than {LOCK_FILE} has, and those are in no "
            "cache here; run `make outcomes` where they are"
        )
    order = {suite.name: place for place, suite in enumerate(paths.suites)}
    rows = [row for row in rows if row.suite in order]
    rows.sort(key=lambda row: (order[row.suite], row.task))
    compared = {key for suite in order for key in _name_scoring(suite)} | DECODING
    kept = {name: value for name, value in protocol.items() if name in compared}
    return Version(version, rows, kept, outcomes_only=True)


def _share_questions(version: Version, other: Version) -> Version:
    if not version.outcomes_only or other.outcomes_only:
        return version
    rows = outcomes.add_questions(version.rows, other.rows)
    return replace(version, rows=rows, suites=other.suites)


def _score_version(name: str, paths: ComparisonPaths, scoring: ScoreConfig) -> Version:
    version, _, model = name.partition(":")
    answer_file = paths.answers / f"{model or TUNED}.jsonl"
    required = [LOCK_FILE, answer_file, *paths.suites]
    with fetch_files(version, required, optional=paths.signature_files) as folder:
        loaded = [suites.read(folder / suite) for suite in paths.suites]
        answers = read_answers(folder / answer_file)
        answer_hash = _hash_as_dvc(folder / answer_file)
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
    return Version(name, list(chain.from_iterable(rows)), protocol, loaded, answer_hash)


def check_comparable(a: Version, b: Version) -> None:
    """Raises BadInput if the versions differ in anything but their answers."""
    differences = [
        f"{name} is {a.protocol.get(name)} in {a.name}, {b.protocol.get(name)} in {b.name}"
        for name in sorted(a.protocol.keys() | b.protocol.keys())
        if a.protocol.get(name) != b.protocol.get(name)
    ]
    if differences:
        raise BadInput(f"{a.name} and {b.name}: {'; '.join(differences)}")
    asked = [[f"{row.suite} {row.task}" for row in version.rows] for version in (a, b)]
    if asked[0] != asked[1]:
        pairs = zip_longest(*asked, fillvalue="no task")
        one, other = next((one, other) for one, other in pairs if one != other)
        raise BadInput(
            f"{a.name} and {b.name}: other tasks: {one} beside {other}, of {len(asked[0])} and "
            f"{len(asked[1])}; run `make outcomes` where the answers are"
        )


def compare(a: Version, b: Version, settings: CompareConfig) -> Comparison:
    """Raises BadInput if the versions do not compare, or have no tasks."""
    check_comparable(a, b)
    if not a.rows:
        raise BadInput(f"{a.name} and {b.name}: no tasks to compare")
    return compare_pairs((a.name, b.name), list(zip(a.rows, b.rows, strict=True)), settings)


def write_page(a: Version, b: Version, prompts: Path, base: Path | None, target: Path) -> None:
    """Every task with both answers, to search through.

    The prompts are those that lie here, and only if they are the ones that were asked.
    """
    shown: answers_page.PromptTexts = {}
    if base and prompts.exists() and _hash_as_dvc(prompts) == a.protocol["prompts"]:
        shown = answers_page.read_prompts(prompts, base / "tokenizer.json")
    suites = {suite.name: suite for suite in a.suites}
    names = (a.name, b.name) if a.name != b.name else (f"A {a.name}", f"B {b.name}")
    pairs = zip(a.rows, b.rows, strict=True)
    page = answers_page.build_page(f"{a.name} → {b.name}", names, pairs, suites, shown)
    row_page.write(target.with_suffix(".html"), page)


def _hash_as_dvc(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


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
        yield from zip(_name_scoring(suite.name), (scorer, suite.digest[:12]), strict=True)


def _name_scoring(suite: str) -> tuple[str, str]:
    """The keys of a suite in a protocol."""
    return f"scorer of {suite}", f"suite {suite}"


def main(
    a: Path,
    b: Path,
    answers: Path,
    prompts: Path,
    metrics: Path,
    target: Path,
    *suites: Path,
    base: Path | None = None,
) -> None:
    settings, scoring = config.load("compare", CompareConfig), config.load("scoring", ScoreConfig)
    paths = ComparisonPaths(answers, prompts, metrics, suites)
    try:
        versions = load_versions((str(a), str(b)), paths, scoring)
        comparison = compare(versions[0], versions[1], settings)
    except BadInput as error:
        print(f"not comparable: {error}", file=sys.stderr)
        sys.exit(INCOMPARABLE)
    comparison_report.write(comparison, target)
    write_page(versions[0], versions[1], prompts, base, target)
    print(comparison_report.format_markdown(comparison), end="")
    print(f"page: {target.with_suffix('.html').absolute()}", file=sys.stderr)
    sys.exit(REGRESSION if comparison.worse else 0)


if __name__ == "__main__":
    cli.run(main)
