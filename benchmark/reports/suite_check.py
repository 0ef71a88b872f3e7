"""Check a suite: `make suite-check SUITE=<folder>`.

Prints what is in the suite, and what baselines and degenerate answers score on it. Fails with one
line for every problem.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent_tuning.runtime import cli, config
from agent_tuning.runtime.visible_text import show_controls
from benchmark.reports import leaderboard
from benchmark.reports.suite_problems import find_problems
from benchmark.scoring import metrics
from benchmark.scoring.baselines import BASELINES, Baseline
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.metrics import BreakdownRow
from benchmark.scoring.score_suites import ScoreConfig, answer_by_rule
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import Suite

TASK_FACETS = ("decision", "kind")
PROMPT_FACETS = ("language", "template", "tool_format", "reply_format")


def describe_contents(suite: Suite) -> str:
    """The number of tasks by each facet."""
    lists = _format_range(len(prompt.tools) for prompt in suite.prompts.values())
    lines = [
        f"{suite.name}, {suite.version} overlays, {suite.digest[:12]}",
        f"{len(suite.tasks)} tasks in {len(suite.prompts)} prompts, "
        f"{len(suite.tools)} tools, lists of {lists} tools",
    ]
    counts = {facet: Counter(getattr(task, facet) for task in suite.tasks) for facet in TASK_FACETS}
    for facet in PROMPT_FACETS:
        counts[facet] = Counter(getattr(suite.prompt(task), facet) for task in suite.tasks)
    for task in suite.tasks:
        for axis, part in task.axes.items():
            counts.setdefault(f"axis {axis}", Counter())[part] += 1
    lines += [f"{name:<16} {_format_counts(count)}" for name, count in counts.items()]
    return "\n".join(lines) + "\n"


def format_leaderboard(suite: Suite, rules: Mapping[str, Baseline], settings: ScoreConfig) -> str:
    """The leaderboard of rules that answer without a model."""
    rows: list[BreakdownRow] = []
    text_scorer = TEXT_SCORERS[settings.text_scorer]
    for name, rule in rules.items():
        answers = answer_by_rule(suite, rule)
        scored = list(score_answers(suite, name, answers, text_scorer, settings.lam))
        rows += metrics.compute_breakdown(scored, settings.bootstrap, settings.seed)
    return leaderboard.format_table(leaderboard.build_lines(rows))


def _format_range(sizes: Iterator[int]) -> str:
    least, *_, most = sorted([*sizes] * 2 or [0, 0])
    return str(least) if least == most else f"{least} to {most}"


def _format_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name or 'none'}" for name, count in sorted(counts.items()))


def main(folder: Path) -> None:
    settings = config.load("scoring", ScoreConfig)
    suite = suites.read(folder)
    problems = list(find_problems(suite, settings))
    for problem in problems:
        print(show_controls(f"{folder}: {problem}"), file=sys.stderr)
    print(show_controls(describe_contents(suite), kept="\n"))
    if problems:
        sys.exit(1)
    print(f"Baselines\n\n{format_leaderboard(suite, BASELINES, settings)}")
    print(f"Degenerate answers\n\n{format_leaderboard(suite, DEGENERATE, settings)}", end="")


if __name__ == "__main__":
    cli.run(main)
