"""The table of ablations: each beside the recipe, on the same tasks, over all seeds.

A task's value is the mean over the seeds. The interval resamples the groups of tasks, and p flips
the signs of groups, as in `make compare`; Holm's correction is over all lines of the table. Both
take the seeds as given, so a line tells something only if its seeds agree, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Literal

import msgspec

from agent_tuning.files.markdown_table import format_row
from agent_tuning.records import BadInput, Record
from benchmark.ablations.plan import FULL, Ablation
from benchmark.compare.paired_tests import CompareConfig
from benchmark.scoring import significance
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.metrics import mean_score
from benchmark.scoring.task_score import ScoredAnswer

HEADER = (
    *("suite", "trained", "em", "of the seeds", "call exact", "bits per byte"),
    *("difference", "95 % interval", "p (Holm)", ""),
)
Result = Literal["", "not measured", "not distinguishable", "worse", "better"]
Answers = Sequence[ScoredAnswer]  # of one experiment, to every task of one suite


class AblationRow(Record, frozen=True, omit_defaults=False):
    """One recipe on one suite: means over `seeds` trainings, of shares from 0 to 1.

    `lowest` and `highest` are the em of single seeds. `low` to `high` holds the difference of em
    from that of the recipe as it is, with 95 % confidence. `bits_per_byte` of everyday dialogue is
    the same on every suite.
    """

    suite: str
    ablation: str
    title: str
    seeds: int
    n: int = 0
    em: float | None = None
    lowest: float | None = None
    highest: float | None = None
    call_exact_match: float | None = None
    bits_per_byte: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    result: Result = ""


def build_rows(
    suite: str,
    ablations: Sequence[Ablation],
    answers: Mapping[str, Sequence[Answers]],
    bits_per_byte: Mapping[str, Sequence[float]],
    seeds: int,
    settings: CompareConfig,
) -> Iterator[AblationRow]:
    """A row each; `answers` and `bits_per_byte` are those of every finished seed, by ablation.

    p is not yet corrected. A row with fewer than `seeds` seeds is not measured. Raises BadInput if
    two experiments answered other tasks.
    """
    full = answers.get(FULL, ())
    for ablation in ablations:
        own = answers.get(ablation.name, ())
        row = AblationRow(suite, ablation.name, ablation.title, len(own))
        if len(own) < seeds or len(full) < seeds:
            yield msgspec.structs.replace(row, result="not measured")
            continue
        row = _add_means(row, own, bits_per_byte[ablation.name])
        if ablation.name != FULL:
            tested = significance.test_pairs(
                pair_tasks(full, own), settings.resamples, settings.seed, right_or_wrong=False
            )
            row = msgspec.structs.replace(
                row, difference=tested.difference, low=tested.low, high=tested.high, p=tested.p
            )
        yield row


def pair_tasks(full: Sequence[Answers], own: Sequence[Answers]) -> list[tuple[str, float, float]]:
    """Of every task its group, and the mean em over the seeds of the recipe and of the ablation."""
    means = [_average_tasks(runs) for runs in (full, own)]
    if means[0].keys() != means[1].keys():
        raise BadInput("ablations: experiments of one commit answered different tasks")
    return [(*key[1:], mean, means[1][key]) for key, mean in means[0].items()]


def decide(rows: Sequence[AblationRow], alpha: float) -> Iterator[AblationRow]:
    """The rows with p corrected for their number, and what they tell.

    A row tells if p is below `alpha`, the interval leaves 0 out, and every seed is on the same side
    of every seed of the recipe.
    """
    full = {row.suite: row for row in rows if row.ablation == FULL}
    tested = [row.p for row in rows if row.p is not None]
    corrected = iter(significance.apply_holm(tested))
    for row in rows:
        if row.p is None:
            yield row
            continue
        p_holm, result = next(corrected), _compare_seeds(full[row.suite], row)
        assert row.low is not None
        assert row.high is not None
        if p_holm >= alpha or row.low <= 0 <= row.high:
            result = "not distinguishable"
        yield msgspec.structs.replace(row, p_holm=p_holm, result=result)


def format_table(rows: Sequence[AblationRow]) -> str:
    """Markdown, one table; a suite is named once."""
    lines: list[Sequence[str]] = [HEADER, ("---", "---", *("---:" for _ in HEADER[2:-1]), "---")]
    suite = ""
    for row in rows:
        title = suite_title(row.suite) if row.suite != suite else ""
        suite = row.suite
        lines.append((title, row.title, *_format_numbers(row), _format_result(row)))
    return "".join(map(format_row, lines))


def _add_means(
    row: AblationRow, runs: Sequence[Answers], bits_per_byte: Sequence[float]
) -> AblationRow:
    single = [fmean(answer.score.em for answer in answers) for answers in runs]
    exact = [mean_score(answers, "call_exact_match") for answers in runs]
    known = [value for value in exact if value is not None]
    return msgspec.structs.replace(
        row,
        n=len(runs[0]),
        em=fmean(single),
        lowest=min(single),
        highest=max(single),
        call_exact_match=fmean(known) if known else None,
        bits_per_byte=fmean(bits_per_byte),
    )


def _average_tasks(runs: Sequence[Answers]) -> dict[tuple[str, str], float]:
    """By task and group, the mean em of several runs."""
    values: dict[tuple[str, str], list[int]] = {}
    for answers in runs:
        for answer in answers:
            values.setdefault((answer.task, answer.group), []).append(answer.score.em)
    if any(len(of_task) != len(runs) for of_task in values.values()):
        raise BadInput("ablations: experiments of one commit answered different tasks")
    return {key: fmean(of_task) for key, of_task in values.items()}


def _compare_seeds(full: AblationRow, row: AblationRow) -> Result:
    numbers = (full.lowest, full.highest, row.lowest, row.highest)
    full_low, full_high, low, high = (value or 0.0 for value in numbers)
    if high < full_low:
        return "worse"
    return "better" if low > full_high else "not distinguishable"


def _format_numbers(row: AblationRow) -> Iterator[str]:
    yield _format(row.em)
    yield f"{row.lowest:.3f} to {row.highest:.3f}" if row.lowest is not None else ""
    yield _format(row.call_exact_match)
    yield _format(row.bits_per_byte)
    yield _format(row.difference, "+.3f")
    yield f"{row.low:+.3f} to {row.high:+.3f}" if row.low is not None else ""
    yield _format(row.p_holm, ".2g")


def _format(value: float | None, spec: str = ".3f") -> str:
    return "" if value is None else format(value, spec)


def _format_result(row: AblationRow) -> str:
    return f"{row.result} ({row.seeds} seeds)" if row.result == "not measured" else row.result
