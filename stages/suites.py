"""Make the BFCL-derived suite, and list what training may not contain.

Reads BFCL's files as published, the house suite and the episodes; writes the suite folder
(tools.jsonl, tasks.jsonl, and the overlays that stand in our own folder of its name) and
PROTECTED_PATH, the user turns of them all.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from benchmark import bfcl, episodes, remenu, suites
from benchmark.episodes import Episodes
from trajectory import command, jsonl, params
from trajectory.protected import Protected
from trajectory.records import Record, User


class Params(Record, frozen=True):
    calls: tuple[str, ...]
    no_calls: tuple[str, ...]
    limits: bfcl.Limits
    menus: remenu.Menus


def protected(suite: suites.Suite) -> Iterator[Protected]:
    for task in suite.tasks:
        tools = tuple(tool.name for tool in suite.menu(task))
        for turn in task.turns:
            if isinstance(turn, User):
                yield Protected(turn.text, task.id, tools)


def wished(suite: Episodes) -> Iterator[Protected]:
    for one in suite.episodes:
        yield Protected(one.query, one.id, tuple(tool.name for tool in suite.menu(one)))


def main(
    bfcl_raw_dir: Path,
    house_suite_dir: Path,
    bfcl_errata_dir: Path,
    bfcl_suite_dir: Path,
    episodes_dir: Path,
    protected_path: Path,
) -> None:
    settings = params.load("suites", Params)
    questions, answers = bfcl.read(bfcl_raw_dir, settings.calls, settings.no_calls)
    items, dropped = bfcl.items(questions, answers, settings.limits)
    derived, unused = remenu.derive(bfcl_suite_dir.name, items, settings.menus)
    house = suites.read(house_suite_dir)

    jsonl.write(bfcl_suite_dir / "tools.jsonl", derived.tools.values())
    jsonl.write(bfcl_suite_dir / "tasks.jsonl", derived.tasks)
    for overlay in suites.overlays_of(bfcl_errata_dir):
        target = bfcl_suite_dir / overlay.relative_to(bfcl_errata_dir)
        jsonl.write(target, jsonl.read(overlay, suites.Erratum))
    suites.read(bfcl_suite_dir)  # an erratum of no task here fails now, not where it is scored
    wishes = wished(episodes.read(episodes_dir))
    fenced = jsonl.write(protected_path, chain(protected(house), protected(derived), wishes))

    for reason, count in sorted((dropped + unused).items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"suites: {count:4} of {len(questions)} BFCL questions dropped: {reason}")
    print(f"suites: {bfcl_suite_dir}: {len(derived.tasks)} tasks, {len(derived.tools)} tools")
    print(f"suites: {protected_path}: {fenced} protected queries")


if __name__ == "__main__":
    command.run(main)
