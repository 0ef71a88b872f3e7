"""Derive the suites of BFCL and NESTFUL, and list the queries that training may not contain.

reads   data/external/{bfcl,nestful}/  their files as published
        benchmark/suites/              queries (not of earlier versions: house-1), and our errata
writes  data/suites/{bfcl,nestful}/    tools.jsonl, prompts.jsonl, tasks.jsonl, overlays/
        data/protected.jsonl           ProtectedQuery, of all of them
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from benchmark.sources import derived_suites
from benchmark.sources.derived_suites import SuitesConfig
from benchmark.tasks import episodes, suites
from benchmark.tasks.suites import Suite


def print_drop_counts(folder: Path, suite: Suite, dropped: Counter[str]) -> None:
    for reason, count in sorted(dropped.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"suites: {folder}: {count:4} questions dropped: {reason}")
    print(f"suites: {folder}: {len(suite.tasks)} tasks, {len(suite.tools)} tools")


def read_own(folder: Path) -> Iterator[Suite]:
    """Our suites, by name; of several versions the last one, whose name has no number."""
    for path in sorted(path.parent for path in folder.glob("*/tasks.jsonl")):
        if not re.search(r"-\d+$", path.name):
            yield suites.read(path)


def main(
    bfcl_files: Path,
    nestful_files: Path,
    suites_folder: Path,
    bfcl_suite: Path,
    nestful_suite: Path,
    protected: Path,
) -> None:
    p = config.load("suites", SuitesConfig)
    own = [derived_suites.list_task_queries(suite) for suite in read_own(suites_folder)]
    queries = own[:1]
    from_bfcl = (bfcl_files, bfcl_suite, derived_suites.derive_from_bfcl)
    from_nestful = (nestful_files, nestful_suite, derived_suites.derive_from_nestful)
    for raw, target, derive in (from_bfcl, from_nestful):
        suite, dropped = derive(raw, target.name, p)
        derived_suites.write_with_errata(suite, target, suites_folder / target.name)
        print_drop_counts(target, suite, dropped)
        queries.append(derived_suites.list_task_queries(suite))
    episode_queries = derived_suites.list_episode_queries(episodes.read(suites_folder / "episodes"))
    queries += [*own[1:], episode_queries]
    print(f"suites: {protected}: {jsonl.write(protected, chain(*queries))} protected queries")


if __name__ == "__main__":
    cli.run(main)
