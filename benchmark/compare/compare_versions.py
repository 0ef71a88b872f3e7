"""Two versions of the project, task by task: `make compare A=v1 B=workspace`.

Arguments: A B ANSWERS PROMPTS METRICS TARGET SUITE...; writes TARGET.md and TARGET.json. A version
is a commit, a tag, an experiment or `workspace`; `v1:base` takes its base model instead of the
tuned one. Exits with 0 where nothing got significantly worse, 1 where something did, and 2 where
the versions do not compare (make itself exits with 2 for either, and says which: `Error 1`). Both
are scored anew, by the scorer here.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from textwrap import indent
from typing import Literal

import msgspec

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Json, Record
from agent_tuning.runtime import cli, config
from benchmark.compare import git_versions
from benchmark.compare.paired_tests import (
    CompareConfig,
    Comparison,
    Flip,
    MetricChange,
    compare_pairs,
)
from benchmark.reports.leaderboard import suite_title
from benchmark.scoring import metrics
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import ScoredAnswer, read_answers, score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

REGRESSION, INCOMPARABLE = 1, 2  # exit codes
# Settings of `predict` that change when answers come, not what they say.
SPEED_SETTINGS = {"rows", "threads", "service"}
HEADER = (
    *("suite", "metric", "n", "A", "B", "B − A"),
    *("95 % interval", "p", "p (Holm)", ""),
)


class ScoringConfig(Record, frozen=True, forbid_unknown_fields=False):
    """How both versions are scored, as the stage `score` does now."""

    lam: float
    text_scorer: Literal["rouge_l", "bleu"]


@dataclass(frozen=True)
class ComparisonPaths:
    """Where the answers of every model, their questions, the metrics and the suites lie."""

    answers: Path
    prompts: Path
    metrics: Path
    suites: tuple[Path, ...]


@dataclass(frozen=True)
class Version:
    """The answers of one version, scored, and what they have to share with another's."""

    name: str
    rows: list[ScoredAnswer]
    protocol: dict[str, Json]


def load_version(name: str, paths: ComparisonPaths, scoring: ScoringConfig) -> Version:
    version, _, model = name.partition(":")
    answers = paths.answers / f"{model or 'tuned'}.jsonl"
    signed = [paths.metrics / f"{suite.name}.json" for suite in paths.suites]
    with git_versions.fetch_files(
        version, [git_versions.LOCK_FILE, answers, *signed, *paths.suites]
    ) as folder:
        read = [suites.read(folder / suite) for suite in paths.suites]
        known = {task.id for suite in read for task in suite.tasks}
        said = read_answers(folder / answers, known)
        alike = TEXT_SCORERS[scoring.text_scorer]
        every = (score_answers(suite, model, said, alike, scoring.lam) for suite in read)
        made = yaml_records.read(folder / git_versions.LOCK_FILE, git_versions.DvcLock).made(
            answers
        )
        signs = _scored([folder / path for path in signed], read)
        protocol = {**_asked(made, paths.prompts), **dict(signs)}
        return Version(name, list(chain.from_iterable(every)), protocol)


def compare(a: Version, b: Version, p: CompareConfig) -> Comparison:
    """Raises BadInput if the versions differ in anything but their answers."""
    other = [
        f"{name} is {a.protocol.get(name)}, then {b.protocol.get(name)}"
        for name in sorted(a.protocol.keys() | b.protocol.keys())
        if a.protocol.get(name) != b.protocol.get(name)
    ]
    if other:
        raise BadInput(f"{a.name} and {b.name}: {'; '.join(other)}")
    return compare_pairs((a.name, b.name), list(zip(a.rows, b.rows, strict=True)), p)


def _asked(made: git_versions.StageRun, prompts: Path) -> dict[str, Json]:
    """What the model was asked and how it answered, as DVC recorded it."""
    sections = [section for file in made.params.values() for section in file.values()]
    settings = {name: value for section in sections for name, value in section.items()}
    asked = next((dep.md5 for dep in made.deps if dep.path == str(prompts)), None)
    kept = {name: value for name, value in sorted(settings.items()) if name not in SPEED_SETTINGS}
    return {"prompts": asked, "decoding": kept}


def _scored(signed: Sequence[Path], read: Sequence[Suite]) -> Iterator[tuple[str, str]]:
    """What the answers were measured by, as the metrics recorded it."""
    for path, suite in zip(signed, read, strict=True):
        sign = next(
            (name for name in metrics.read(path) if name.startswith("signature.")), "unsigned"
        )
        yield f"scorer of {suite.name}", sign.removeprefix("signature.").partition("|suite:")[0]
        yield f"suite {suite.name}", suite.digest[:12]


def format_markdown(found: Comparison) -> str:
    """The numbers, then every flipped task with both answers, lost ones first."""
    ruler = ["---", "---", *("---:" for _ in HEADER[2:-1]), "---"]
    table = [HEADER, ruler, *map(_cells, found.changes)]
    rows = "".join(f"| {' | '.join(row)} |\n" for row in table)
    lost = sum(flip.lost for flip in found.flips)
    head = f"# {found.a} → {found.b}\n\n{_summary(found)}\n\n{rows}\n"
    flips = "".join(map(_flip_text, found.flips))
    return f"{head}## {len(found.flips)} flipped tasks, {lost} of them lost\n\n{flips}"


def _summary(found: Comparison) -> str:
    worse = ", ".join(f"{suite_title(one.suite)} {one.metric}" for one in found.worse)
    said = f"Significantly worse: {worse}." if worse else "Nothing is significantly worse."
    before, after = found.unanswered
    partial = f" Partial: {before} tasks of A and {after} of B have no answer."
    return said + partial if before or after else said


def _cells(one: MetricChange) -> tuple[str, ...]:
    numbers = (f"{one.a:.3f}", f"{one.b:.3f}", f"{one.difference:+.3f}")
    chance = (f"{one.low:+.3f} to {one.high:+.3f}", f"{one.p:.2g}", f"{one.p_holm:.2g}")
    return (suite_title(one.suite), one.metric, str(one.n), *numbers, *chance, one.verdict)


def _flip_text(flip: Flip) -> str:
    moved = f"em {flip.em[0]} → {flip.em[1]}"
    if flip.args[0] != flip.args[1]:
        moved += f", args {flip.args[0]} → {flip.args[1]}"
    said = "".join(
        f"- {name}: {reason or 'right'}\n\n{indent(answer.strip() or '(nothing)', ' ' * 6)}\n\n"
        for name, answer, reason in zip("AB", flip.answers, flip.reasons, strict=True)
    )
    asked = f"- query: {_line(flip.query)}\n- gold: {_line(flip.gold)}\n"
    return f"### {flip.task} ({flip.kind}): {moved}\n\n{asked}{said}"


def _line(text: str) -> str:
    return " ".join(text.split())


def write(found: Comparison, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False)
    target.with_suffix(".json").write_text(plain + "\n", encoding="utf-8")
    target.with_suffix(".md").write_text(format_markdown(found), encoding="utf-8")


def main(
    a: Path, b: Path, answers: Path, prompts: Path, metrics: Path, target: Path, *suites: Path
) -> None:
    p, scoring = config.load("compare", CompareConfig), config.load("score", ScoringConfig)
    paths = ComparisonPaths(answers, prompts, metrics, suites)
    try:
        found = compare(
            load_version(str(a), paths, scoring), load_version(str(b), paths, scoring), p
        )
    except BadInput as error:
        print(f"not comparable: {error}", file=sys.stderr)
        sys.exit(INCOMPARABLE)
    write(found, target)
    print(format_markdown(found), end="")
    sys.exit(REGRESSION if found.worse else 0)


if __name__ == "__main__":
    cli.run(main)
