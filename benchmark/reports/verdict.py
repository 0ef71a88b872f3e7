"""May this version be shipped? The gate's answer in words, with the tests that stand behind it.

For somebody who reads the first screen alone. A lead that may be chance is never called a lead.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent_tuning.records import BadInput
from benchmark.compare.gate import GateResult, choose_rivals
from benchmark.compare.paired_tests import Comparison, MetricChange
from benchmark.reports.leaderboard import LeaderboardLine
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.model_differences import ModelDifference

OTHER_MODELS = {
    "base": "the base model",
    "base_two_shot": "the base model after two worked examples",
}


@dataclass(frozen=True)
class Verdict:
    """`answer` to the question, and sentences that say why."""

    passed: bool
    answer: str
    sentences: Sequence[str]


def decide(
    board: Sequence[LeaderboardLine],
    differences: Sequence[ModelDifference],
    gate: Sequence[GateResult],
    comparison: Comparison | BadInput | None,
    human: Mapping[str, float],
) -> Verdict:
    """The verdict on the tuned model; `board` begins with the suite that it is judged by."""
    failed = [result.condition for result in gate if not result.passed]
    passed = bool(gate) and not failed
    if not gate:
        answer = "Not decided: no condition was checked."
    elif passed:
        answer = f"Yes. All {len(gate)} conditions of the gate hold."
    else:
        verb = "does" if len(failed) == 1 else "do"
        names = "; ".join(map(_split, failed))
        answer = f"No. {len(failed)} of {len(gate)} conditions {verb} not hold: {names}."
    suite = board[0].suite if board else ""
    lines = {line.model: line for line in board if line.suite == suite}
    if not lines.keys() >= {"base", "tuned"}:
        return Verdict(False, answer, ["Nothing has been scored."])
    sentences = [
        _describe_result(lines),
        *map(describe_rival, choose_rivals([row for row in differences if row.suite == suite])),
        *_describe_other_suites(suite, differences),
        *_describe_comparison(suite, comparison),
        *_describe_ratings(human),
    ]
    return Verdict(passed, answer, sentences)


def describe_rival(row: ModelDifference) -> str:
    """What the paired test says of a rule or model beside the tuned one."""
    rival = OTHER_MODELS.get(row.model, f"the best rule without a model ({_split(row.model)})")
    against = f"{_percent(row.tuned_em)} against {_percent(row.em)} of {rival}"
    if row.may_be_chance:
        return f"{against} is within chance ({_format_p(row.p)}): no lead is shown."
    side = "above" if row.difference > 0 else "BELOW"
    return (
        f"{against}: {100 * abs(row.difference):.1f} points {side}, and not by chance "
        f"({_format_interval(row)}, {_format_p(row.p)})."
    )


def _describe_result(lines: Mapping[str, LeaderboardLine]) -> str:
    tuned = lines["tuned"]
    partial = ""
    if tuned.unanswered:
        partial = f" Partial: {tuned.unanswered} tasks have no answer, and count as wrong."
    return (
        f"On {suite_title(tuned.suite)}, the tuned model decides right in {_percent(tuned.em)} of "
        f"{tuned.n} tasks ({100 * tuned.low:.0f} to {100 * tuned.high:.0f} % with 95 % "
        "confidence), "
        f"the base model in {_percent(lines['base'].em)}.{partial}"
    )


def _describe_other_suites(first: str, differences: Iterable[ModelDifference]) -> Iterator[str]:
    """The best rule of each other suite; `differences` has only those of the verdict."""
    by_suite: dict[str, list[ModelDifference]] = {}
    for row in differences:
        if row.suite != first and row.model in BASELINES:
            by_suite.setdefault(row.suite, []).append(row)
    for suite, rows in by_suite.items():
        best = max(rows, key=lambda row: row.em)
        yield f"On {suite_title(suite)}: {describe_rival(best)}"


def _describe_comparison(suite: str, comparison: Comparison | BadInput | None) -> Iterator[str]:
    if comparison is None:
        yield "It was compared with no earlier version: gate.against in params.yaml is empty."
        return
    if isinstance(comparison, BadInput):
        yield f"It cannot be compared with the earlier version: {comparison}."
        return
    changes = {change.metric: change for change in comparison.changes if change.suite == suite}
    if "em" in changes:
        yield f"Since {comparison.a}, {_describe_change(changes['em'])}"
    if comparison.worse:
        worse: dict[str, list[str]] = {}
        for change in comparison.worse:
            worse.setdefault(suite_title(change.suite), []).append(_split(change.metric))
        named = "; ".join(f"{name} ({', '.join(metrics)})" for name, metrics in worse.items())
        yield f"Significantly worse than in {comparison.a}: {named}."
    else:
        yield f"No metric is significantly worse than in {comparison.a}."


def _describe_change(change: MetricChange) -> str:
    moved = f"em went from {_percent(change.a)} to {_percent(change.b)}"
    if change.verdict == "same":
        return f"{moved}, within chance ({_format_p(change.p_holm)})."
    return (
        f"{moved}: {change.verdict}, and not by chance "
        f"({_format_interval(change)}, {_format_p(change.p_holm)})."
    )


def _describe_ratings(human: Mapping[str, float]) -> Iterator[str]:
    """People's mean is quoted only where they agree well enough; the page has all of it."""
    if "tuned.mean" in human and human.get("headline"):
        yield (
            f"People rate its answers {human['tuned.mean']:.1f} of 5 "
            f"({human['tuned.n']:.0f} answers; alpha {human['alpha']:.2f})."
        )
    elif human.get("people"):
        yield "People have rated answers, too few or with too little agreement to quote a mean."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _format_interval(row: ModelDifference | MetricChange) -> str:
    low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (row.low, row.high))
    return f"{low} to {high}"


def _format_p(p: float) -> str:
    if p < 0.001:
        return "p below 0.001"
    return f"p {p:.3f}" if p < 0.05 else f"p {p:.2f}"


def _split(name: str) -> str:
    return name.replace("_", " ")
