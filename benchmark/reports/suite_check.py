"""Check a suite: `make suite-check SUITE=<folder>`.

Prints what is in the suite, and what baselines and degenerate answers score on it. Fails with one
line for every problem.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import jsonschema_rs
import msgspec

from agent_tuning.records import Tool
from agent_tuning.runtime import cli, config
from benchmark.engines.answer import Answer
from benchmark.reports import leaderboard
from benchmark.scoring import metrics
from benchmark.scoring.baselines import BASELINES, Baseline
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.metrics import BreakdownRow
from benchmark.scoring.score_suites import ScoreConfig, answer_by_rule
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answer, score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import REFERENCE, GoldCall, Suite, Task

TASK_FACETS = ("decision", "kind")
PROMPT_FACETS = ("language", "template", "tool_format", "reply_format")


def find_problems(suite: Suite, settings: ScoreConfig) -> Iterator[str]:
    """What `suites.read` does not check: golds that no answer can meet, and repeated questions."""
    first_ids: dict[bytes, str] = {}
    for task in suite.tasks:
        prompt = msgspec.structs.replace(suite.prompts[task.prompt], id="")
        first = first_ids.setdefault(msgspec.json.encode((prompt, task.turns)), task.id)
        if first != task.id:
            yield f"{task.id}: turns: the same as those of {first!r}, under the same prompt"
        tools = {tool.name: tool for tool in suite.prompt(task).tools}
        for call in (call for gold in task.golds for call in gold.calls):
            yield from (
                f"{task.id}: golds: {text}" for text in _find_misfits(call, tools[call.name])
            )
        yield from _find_unreachable(suite, task, settings)


def _find_misfits(call: GoldCall, tool: Tool) -> Iterator[str]:
    properties = tool.parameters.get("properties", {})
    for name in sorted(set(tool.parameters.get("required", ())) - call.required):
        yield f"the required argument {name!r} of {call.name} is missing or optional"
    for name, accepted in call.arguments.items():
        if name not in properties:
            yield f"{call.name} has no argument {name!r}"
            continue
        fits = jsonschema_rs.Draft202012Validator(properties[name]).is_valid
        # a null written out for a default is what some suites accept
        plain = (v for v in accepted if v is not None and not REFERENCE.search(str(v)))
        if misfit := [value for value in plain if not fits(value)]:
            yield f"{call.name}: {name}: {misfit[0]!r} does not fit the tool's schema"


def _find_unreachable(suite: Suite, task: Task, settings: ScoreConfig) -> Iterator[str]:
    """The gold, written as a model would write it, must get every score in full."""
    prompt, text_scorer = suite.prompt(task), TEXT_SCORERS[settings.text_scorer]
    answer = Answer(task.id, DEGENERATE["gold"](task, prompt))
    line = score_answer(suite.name, "gold", task, prompt, answer, text_scorer, settings.lam)
    for name in ("em", "call_exact_match", "text"):
        if getattr(line.score, name) not in (None, 1):
            reason = line.reason or line.decision
            yield f"{task.id}: golds: the gold itself scores {name} below 1: {reason}"


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
    least, *_, most = sorted([*sizes] * 2)
    return str(least) if least == most else f"{least} to {most}"


def _format_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name or 'none'}" for name, count in sorted(counts.items()))


def main(folder: Path) -> None:
    settings = config.load("scoring", ScoreConfig)
    suite = suites.read(folder)
    problems = list(find_problems(suite, settings))
    print("".join(f"{folder}: {problem}\n" for problem in problems), end="", file=sys.stderr)
    print(describe_contents(suite))
    if problems:
        sys.exit(1)
    print(f"Baselines\n\n{format_leaderboard(suite, BASELINES, settings)}")
    print(f"Degenerate answers\n\n{format_leaderboard(suite, DEGENERATE, settings)}", end="")


if __name__ == "__main__":
    cli.run(main)
