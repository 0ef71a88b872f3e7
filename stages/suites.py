"""Make the BFCL-derived suite, and list what training may not contain.

Reads BFCL's files as published and the house suite; writes the suite folder (tools.jsonl,
tasks.jsonl, and the overlays that stand in our own folder of its name) and PROTECTED_PATH, the user
turns of both suites.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark import bfcl, remenu, suites
from trajectory import command, jsonl, params
from trajectory.protected import Protected
from trajectory.records import BadInput, Record, User


class Params(Record, frozen=True):
    calls: tuple[str, ...]
    no_calls: tuple[str, ...]
    limits: bfcl.Limits
    menus: remenu.Menus


def read_bfcl(
    folder: Path, calls: Iterable[str], no_calls: Iterable[str]
) -> tuple[list[bfcl.Question], dict[str, bfcl.Answer]]:
    """The questions of all categories, and the answers of those that are calls."""
    questions: list[bfcl.Question] = []
    answers: dict[str, bfcl.Answer] = {}
    for category in calls:
        path = folder / f"BFCL_v4_{category}.json"
        questions += jsonl.read(path, bfcl.Question)
        golds = folder / "possible_answer" / path.name
        answers.update((answer.id, answer) for answer in jsonl.read(golds, bfcl.Answer))
        if missing := [question.id for question in questions if question.id not in answers]:
            raise BadInput(f"{golds}: no answer to {missing[0]!r}")
    for category in no_calls:
        questions += jsonl.read(folder / f"BFCL_v4_{category}.json", bfcl.Question)
    return questions, answers


def protected(tasks: Iterable[suites.Task]) -> Iterator[Protected]:
    for task in tasks:
        for turn in task.turns:
            if isinstance(turn, User):
                yield Protected(turn.text, task.id)


def main(
    bfcl_raw_dir: Path,
    house_suite_dir: Path,
    bfcl_errata_dir: Path,
    bfcl_suite_dir: Path,
    protected_path: Path,
) -> None:
    settings = params.load("suites", Params)
    questions, answers = read_bfcl(bfcl_raw_dir, settings.calls, settings.no_calls)
    items, dropped = bfcl.items(questions, answers, settings.limits)
    derived, unused = remenu.derive(bfcl_suite_dir.name, items, settings.menus)
    house = suites.read(house_suite_dir)

    jsonl.write(bfcl_suite_dir / "tools.jsonl", derived.tools.values())
    jsonl.write(bfcl_suite_dir / "tasks.jsonl", derived.tasks)
    for overlay in suites.overlays_of(bfcl_errata_dir):
        target = bfcl_suite_dir / overlay.relative_to(bfcl_errata_dir)
        jsonl.write(target, jsonl.read(overlay, suites.Erratum))
    suites.read(bfcl_suite_dir)  # an erratum of no task here fails now, not where it is scored
    fenced = jsonl.write(protected_path, protected((*house.tasks, *derived.tasks)))

    for reason, count in sorted((dropped + unused).items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"suites: {count:4} of {len(questions)} BFCL questions dropped: {reason}")
    print(f"suites: {bfcl_suite_dir}: {len(derived.tasks)} tasks, {len(derived.tools)} tools")
    print(f"suites: {protected_path}: {fenced} protected queries")


if __name__ == "__main__":
    command.run(main)
