"""Make the BFCL- and the NESTFUL-derived suite, and list what training may not contain.

Reads their files as published, the house suite and the episodes; writes a folder a suite
(tools.jsonl, tasks.jsonl, and the overlays that stand in our own folder of its name, next to the
house suite) and PROTECTED_PATH, the user turns of them all.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import Record, User
from agent_tuning.runtime import cli, config
from benchmark.sources import bfcl, distractors, nestful
from benchmark.tasks import episodes, suites
from benchmark.tasks.episodes import Episodes


class NestedConfig(Record, frozen=True):
    limits: nestful.Limits
    calls_per_group: int


class SuitesConfig(Record, frozen=True):
    calls: tuple[str, ...]
    no_calls: tuple[str, ...]
    limits: bfcl.Limits
    nested: NestedConfig
    menus: distractors.DistractorsConfig


def list_task_queries(suite: suites.Suite) -> Iterator[ProtectedQuery]:
    for task in suite.tasks:
        tools = tuple(tool.name for tool in suite.tools_of(task))
        for turn in task.turns:
            if isinstance(turn, User):
                yield ProtectedQuery(turn.text, task.id, tools)


def write_with_errata(derived: suites.Suite, folder: Path, errata: Path) -> None:
    """Write a derived suite with our errata of it."""
    suites.write(folder, derived)
    for overlay in suites.list_overlays(errata):
        jsonl.write(folder / overlay.relative_to(errata), jsonl.read(overlay, suites.Erratum))
    suites.read(folder)  # an erratum of no task here fails now, not where it is scored


def print_drop_counts(folder: Path, derived: suites.Suite, reasons: Counter[str]) -> None:
    for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"suites: {folder}: {count:4} questions dropped: {reason}")
    print(f"suites: {folder}: {len(derived.tasks)} tasks, {len(derived.tools)} tools")


def list_episode_queries(suite: Episodes) -> Iterator[ProtectedQuery]:
    for one in suite.episodes:
        yield ProtectedQuery(one.query, one.id, tuple(tool.name for tool in suite.tools_of(one)))


def main(
    bfcl_raw_dir: Path,
    nestful_raw_dir: Path,
    house_suite_dir: Path,
    episodes_dir: Path,
    bfcl_suite_dir: Path,
    nestful_suite_dir: Path,
    protected_path: Path,
) -> None:
    p = config.load("suites", SuitesConfig)
    house = suites.read(house_suite_dir)
    read = bfcl.read(bfcl_raw_dir, p.calls, p.no_calls)
    single, dropped = bfcl.build_items(*read, p.limits)
    derived, unused = distractors.derive_suite(bfcl_suite_dir.name, single, p.menus)
    nested, dropped_nested = nestful.build_items(nestful_raw_dir, p.nested.limits)
    shape = msgspec.structs.replace(
        p.menus, calls_per_group=p.nested.calls_per_group, no_calls_per_group=0
    )
    several, unused_nested = nestful.derive_suite(nestful_suite_dir.name, nested, shape)
    for suite, folder, reasons in (
        (derived, bfcl_suite_dir, dropped + unused),
        (several, nestful_suite_dir, dropped_nested + unused_nested),
    ):
        write_with_errata(suite, folder, house_suite_dir.with_name(folder.name))
        print_drop_counts(folder, suite, reasons)
    fenced = chain.from_iterable(map(list_task_queries, (house, derived, several)))
    wishes = list_episode_queries(episodes.read(episodes_dir))
    count = jsonl.write(protected_path, chain(fenced, wishes))
    print(f"suites: {protected_path}: {count} protected queries")


if __name__ == "__main__":
    cli.run(main)
