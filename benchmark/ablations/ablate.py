"""Plan, run and tabulate the ablations of the chosen recipe: `make ablations`.

Arguments: DATA METRICS PAGE, the recipe's folders and docs/ablations.md. Without `--go` it prints
the plan and its hours and runs nothing. `--speed` is in tokens a second, for a machine on which
nothing was trained yet.

Exit status: 0, 1 if an experiment failed, 75 if it was stopped and will go on.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agent_tuning.files import atomic_write, csv_records, yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.training.trainer import TrainConfig
from benchmark import missing_step
from benchmark.ablations import experiments, hours, table
from benchmark.ablations.hours import Speed
from benchmark.ablations.plan import (
    AblationsConfig,
    Experiment,
    list_experiments,
    list_recipes,
)
from benchmark.compare.compare_versions import (
    ComparisonPaths,
    Version,
    check_comparable,
    load_version,
)
from benchmark.compare.git_versions import fetch_files
from benchmark.compare.paired_tests import CompareConfig
from benchmark.reports.readme_tables import replace_between_markers
from benchmark.reports.reported_suites import list_reported_suites
from benchmark.reports.run_record import SPEED_LOGS, find_machine
from benchmark.scoring import metrics
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.tasks.requests import RequestsConfig
from benchmark.tasks.worked_examples import WorkedExamplesConfig

MARKER = "ablations"
TABLE = "ablations.csv"


class Measured(NamedTuple):
    """What one experiment answered, and its bits per byte of everyday dialogue."""

    version: Version
    bits_per_byte: float


def read_measured(path: Path) -> dict[str, float]:
    missing_step.expect(path, "last run of this recipe", "make repro")
    return metrics.read(path)


def plan_experiments(settings: AblationsConfig, measured: Path) -> list[Experiment]:
    """All experiments; the suites of the table are asked, and no others."""
    steps = settings.steps or int(read_measured(measured / "train.json")["steps"])
    asked = config.load("build_requests", RequestsConfig).groups
    needed = {*list_reported_suites(), config.load("shots", WorkedExamplesConfig).suite}
    groups = {name: count for name, count in asked.items() if name in needed}
    return list(list_experiments(settings, steps, groups))


def describe_hours(left: Sequence[Experiment], measured: Path, speed: int) -> str:
    """The hours that these experiments take, how that was computed, and from what."""
    steps = [experiment.steps for experiment in left]
    if finished := experiments.read_finished_runs():
        total = hours.estimate_hours_by_finished(steps, finished)
        return f"{total:.1f} hours, at the pace of {len(finished)} experiments that ran here"
    render = read_measured(measured / "render.json")
    packs = config.load("train", TrainConfig).packs_per_step
    tokens = render["tokens"] / render["packs"] * packs
    rate = Speed(speed, "SPEED") if speed else hours.read_speed(SPEED_LOGS)
    total = hours.estimate_hours(steps, tokens, rate)
    return (
        f"{total:.1f} hours of training: {sum(steps)} steps of {tokens:.0f} tokens on average at "
        f"{rate.tokens_per_s:.0f} tokens/s ({rate.source}). The answers come on top"
    )


def print_plan(
    planned: Sequence[Experiment], finished: Collection[str], estimate: str, commit: str
) -> None:
    for name in dict.fromkeys(experiment.ablation for experiment in planned):
        runs = [experiment for experiment in planned if experiment.ablation == name]
        done = sum(run.name in finished for run in runs)
        print(f"  {name:<20} {runs[0].steps:>6} steps, {done} of {len(runs)} seeds finished")
    left = sum(experiment.name not in finished for experiment in planned)
    print(f"{left} of {len(planned)} experiments on commit {commit[:7]} are left: {estimate}")


def read_results(
    planned: Sequence[Experiment], finished: Mapping[str, str], paths: ComparisonPaths
) -> dict[str, list[Measured]]:
    """What every finished experiment measured, by ablation."""
    scoring = config.load("scoring", ScoreConfig)
    general = paths.metrics / "general.json"
    results: dict[str, list[Measured]] = {}
    for experiment in planned:
        if commit := finished.get(experiment.name):
            version = load_version(commit, paths, scoring)
            with fetch_files(commit, [general]) as folder:
                bits = metrics.read(folder / general)["tuned.bits_per_byte"]
            results.setdefault(experiment.ablation, []).append(Measured(version, bits))
    return results


def build_table(
    settings: AblationsConfig, results: Mapping[str, Sequence[Measured]], suites: Sequence[str]
) -> list[table.AblationRow]:
    """Raises BadInput if two experiments were not asked the same in the same way."""
    testing, recipes = config.load("compare", CompareConfig), list_recipes(settings)
    every = [one.version for of_ablation in results.values() for one in of_ablation]
    for other in every[1:]:
        check_comparable(every[0], other)
    bits = {name: [one.bits_per_byte for one in found] for name, found in results.items()}
    rows: list[table.AblationRow] = []
    for suite in suites:
        answers = {
            name: [[row for row in one.version.rows if row.suite == suite] for one in found]
            for name, found in results.items()
        }
        rows += table.build_rows(suite, recipes, answers, bits, len(settings.seeds), testing)
    return list(table.decide(rows, testing.alpha))


def write_page(page: Path, rows: Sequence[table.AblationRow], note: str) -> None:
    text = page.read_text(encoding="utf-8")
    content = f"{note}\n\n{table.format_table(rows)}"
    atomic_write.write_text(page, replace_between_markers(text, MARKER, content, str(page)))


def main(data: Path, measured: Path, page: Path, *, go: bool = False, speed: int = 0) -> None:
    settings, suites = config.load("ablations", AblationsConfig), list_reported_suites()
    recipe, params = data.name, yaml_records.read(config.PARAMS, dict[str, Any])
    if speed < 0:
        raise BadInput(f"SPEED={speed}: expected tokens a second, above 0")
    if not suites:
        raise BadInput("params.yaml: build_requests.groups: no suite to measure by; docs/suites.md")
    commit, planned = experiments.find_commit(), plan_experiments(settings, measured)
    # What is wrong with them is said here, before days of work.
    finished = experiments.find_finished(planned, commit, params, recipe)
    left = [experiment for experiment in planned if experiment.name not in finished]
    print_plan(
        planned, finished, describe_hours(left, measured, speed) if left else "0 hours", commit
    )
    if not go:
        print("nothing was started; `make ablations GO=1` runs what is left and writes the table")
        return
    failed = experiments.run_all(left, commit, params, recipe) if left else []
    finished = experiments.find_finished(planned, commit, params, recipe)
    asked = tuple(data / "asked" / suite for suite in suites)
    paths = ComparisonPaths(data / "answers", data / "requests.jsonl", measured, asked)
    rows = build_table(settings, read_results(planned, finished, paths), suites)
    csv_records.write(measured / TABLE, table.AblationRow, rows)
    seeds = ", ".join(map(str, settings.seeds))
    steps = planned[0].steps
    write_page(
        page,
        rows,
        f"Recipe {recipe}, commit {commit[:7]}, {steps} optimizer steps, seeds {seeds}, "
        f"on {find_machine()}.",
    )
    print(table.format_table(rows), end="")
    print(f"table: {page}")
    if failed:
        print(f"failed, see above: {', '.join(failed)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    cli.run(main)
