"""Is a suite sound, and what does it give to rules and to degenerate answers? `make suite-check`.

Reads the suite's folder, fails with a line for every problem, and prints what is in it, its
baselines, and what answers score that deserve nothing.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import jsonschema_rs
import msgspec

from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Tool
from agent_tuning.runtime import cli, config
from benchmark.compare.compare_versions import ScoringConfig
from benchmark.engines.answer import Answer
from benchmark.reports import leaderboard
from benchmark.scoring import metrics
from benchmark.scoring.baselines import BASELINES, Baseline
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.metrics import BreakdownRow
from benchmark.scoring.scorers import TEXT_SCORERS
from benchmark.scoring.task_score import score_answer, score_answers
from benchmark.tasks import suites
from benchmark.tasks.suites import REFERENCE, GoldCall, Suite, Task

FACETS = ("decision", "kind", "language", "template", "tool_format", "reply_format")


class SuiteCheckConfig(ScoringConfig, frozen=True, forbid_unknown_fields=False):
    bootstrap: int
    seed: int


def find_problems(suite: Suite, settings: ScoringConfig) -> Iterator[str]:
    """What reading does not notice: golds that no answer can meet, and questions asked twice."""
    asked: dict[bytes, str] = {}
    for task in suite.tasks:
        if task.reply_format not in REPLY_FORMATS:
            known = ", ".join(REPLY_FORMATS)
            yield f"{task.id}: reply_format: {task.reply_format!r} is none of {known}"
            continue
        first = asked.setdefault(msgspec.json.encode((task.prompt, task.turns)), task.id)
        if first != task.id:
            yield f"{task.id}: turns: the same as those of {first!r}, under the same prompt"
        tools = {tool.name: tool for tool in suite.tools_of(task)}
        for call in (call for gold in task.golds for call in gold.calls):
            yield from (f"{task.id}: golds: {text}" for text in _misfits(call, tools[call.name]))
        yield from _unreachable(suite, task, settings)


def _misfits(call: GoldCall, tool: Tool) -> Iterator[str]:
    properties = tool.parameters.get("properties", {})
    for name in sorted(set(tool.parameters.get("required", ())) - call.required):
        yield f"{call.name} may not leave out {name!r}"
    for name, accepted in call.arguments.items():
        if name not in properties:
            yield f"{call.name} has no argument {name!r}"
            continue
        fits = jsonschema_rs.Draft202012Validator(properties[name]).is_valid
        # a null written out for a default is what some suites accept
        plain = (v for v in accepted if v is not None and not REFERENCE.search(str(v)))
        if wrong := [value for value in plain if not fits(value)]:
            yield f"{call.name}: {name}: {wrong[0]!r} does not fit the tool's schema"


def _unreachable(suite: Suite, task: Task, settings: ScoringConfig) -> Iterator[str]:
    """The gold itself, written as a model would, is right in everything."""
    menu, alike = suite.tools_of(task), TEXT_SCORERS[settings.text_scorer]
    answer = Answer(task.id, DEGENERATE["gold"](task, menu))
    line = score_answer(suite.name, "gold", task, menu, answer, alike, settings.lam)
    for name in ("em", "args", "text"):
        if getattr(line.score, name) not in (None, 1):
            reason = line.reason or line.decision
            yield f"{task.id}: golds: the gold itself scores {name} below 1: {reason}"


def describe_contents(suite: Suite) -> str:
    """How many tasks there are of what."""
    lines = [
        f"{suite.name}, {suite.version} overlays, {suite.digest[:12]}",
        f"{len(suite.tasks)} tasks in {len({task.group for task in suite.tasks})} groups, "
        f"{len(suite.tools)} tools, menus of {_span(len(task.menu) for task in suite.tasks)}",
    ]
    counts = {facet: Counter(getattr(task, facet) for task in suite.tasks) for facet in FACETS}
    for task in suite.tasks:
        for axis, part in task.axes.items():
            counts.setdefault(f"axis {axis}", Counter())[part] += 1
    lines += [f"{name:<16} {_listed(found)}" for name, found in counts.items()]
    return "\n".join(lines) + "\n"


def format_leaderboard(
    suite: Suite, rules: Mapping[str, Baseline], settings: SuiteCheckConfig
) -> str:
    """The leaderboard of answers by rule."""
    rows: list[BreakdownRow] = []
    alike = TEXT_SCORERS[settings.text_scorer]
    for name, rule in rules.items():
        said = {task.id: Answer(task.id, rule(task, suite.tools_of(task))) for task in suite.tasks}
        lines = [line.numbers for line in score_answers(suite, name, said, alike, settings.lam)]
        rows += metrics.compute_breakdown(lines, settings.bootstrap, settings.seed)
    return leaderboard.format_table(leaderboard.build_lines(rows))


def _span(sizes: Iterator[int]) -> str:
    least, *_, most = sorted([*sizes] * 2)
    return str(least) if least == most else f"{least} to {most}"


def _listed(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name or 'none'}" for name, count in sorted(found.items()))


def main(folder: Path) -> None:
    settings = config.load("score", SuiteCheckConfig)
    suite = suites.read(folder)
    wrong = list(find_problems(suite, settings))
    print("".join(f"{folder}: {problem}\n" for problem in wrong), end="", file=sys.stderr)
    print(describe_contents(suite))
    if wrong:
        sys.exit(1)
    print(f"Baselines\n\n{format_leaderboard(suite, BASELINES, settings)}")
    print(f"Degenerate answers\n\n{format_leaderboard(suite, DEGENERATE, settings)}", end="")


if __name__ == "__main__":
    cli.run(main)
