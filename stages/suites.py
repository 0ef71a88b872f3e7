"""Derive the suites of BFCL and NESTFUL, and list the queries that training may not contain.

reads   data/external/{bfcl,nestful}/  their files as published
        benchmark/suites/house/        its queries; our errata of a derived suite are beside it
        benchmark/suites/episodes/     their queries
        benchmark/suites/shop/ …       the queries of any further suite
writes  data/suites/{bfcl,nestful}/    tools.jsonl, prompts.jsonl, tasks.jsonl, overlays/
        data/protected.jsonl           ProtectedQuery, of all of them
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.runtime import cli, config
from benchmark.sources import derived_suites
from benchmark.sources.derived_suites import SuitesConfig
from benchmark.tasks import episodes, suites
from benchmark.tasks.suites import Suite


def print_drop_counts(folder: Path, suite: Suite, dropped: Counter[str]) -> None:
    for reason, count in sorted(dropped.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"suites: {folder}: {count:4} questions dropped: {reason}")
    print(f"suites: {folder}: {len(suite.tasks)} tasks, {len(suite.tools)} tools")


def main(
    bfcl_files: Path,
    nestful_files: Path,
    house: Path,
    episodes_folder: Path,
    bfcl_suite: Path,
    nestful_suite: Path,
    protected: Path,
    *folders: Path,
) -> None:
    """Whoever adds a suite gives its folder: its queries are then protected as well."""
    p = config.load("suites", SuitesConfig)
    queries: list[Iterator[ProtectedQuery]] = [derived_suites.list_task_queries(suites.read(house))]
    for raw, folder, derive in (
        (bfcl_files, bfcl_suite, derived_suites.derive_from_bfcl),
        (nestful_files, nestful_suite, derived_suites.derive_from_nestful),
    ):
        suite, dropped = derive(raw, folder.name, p)
        derived_suites.write_with_errata(suite, folder, house.with_name(folder.name))
        print_drop_counts(folder, suite, dropped)
        queries.append(derived_suites.list_task_queries(suite))
    queries += (derived_suites.list_task_queries(suites.read(folder)) for folder in folders)
    queries.append(derived_suites.list_episode_queries(episodes.read(episodes_folder)))
    count = jsonl.write(protected, chain.from_iterable(queries))
    print(f"suites: {protected}: {count} protected queries")


if __name__ == "__main__":
    cli.run(main)
