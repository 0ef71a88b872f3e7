"""Whatever has an id, in the terminal: `make show ID=…`.

`python -m benchmark.pages.show DATA BASE [ID]` says what the id is and prints it: a trajectory of
the training data with its trained tokens in colour, a group, a reject, a task of a suite with every
answer to it, an answer that people rate, an episode. Without an id: the first trajectory.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from agent_tuning.converters.imported_data import ImportReject
from agent_tuning.quality.verify import Reject
from agent_tuning.records import BadInput, Group, Record
from agent_tuning.runtime import cli
from agent_tuning.runtime.visible_text import show_controls
from agent_tuning.tokens import inspect_labels
from benchmark import missing_step
from benchmark.pages.data_files import IMPORT_REJECTS, REJECTS, format_json, read_made
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.scoring.task_score import ScoredAnswer
from benchmark.tasks.suites import Task

SUITES, CANDIDATES = Path("benchmark/suites"), Path("benchmark/candidates")
RATED = Path("benchmark/ratings/sheet.jsonl")


class Rated(Record, frozen=True):
    """A line of the sheet that `make rate` draws."""

    id: str
    task: str
    text: str
    versions: tuple[str, ...]


def find_texts(data: Path, wanted: str) -> Iterator[str]:
    """What every record with this id is, and what is in it; trajectories are left to the caller."""
    finders: tuple[Callable[[Path, str], Iterator[str]], ...] = (
        _find_groups,
        _find_rejects,
        _find_tasks,
        _find_rated,
        _find_episodes,
    )
    return chain.from_iterable(find(data, wanted) for find in finders)


def _find_groups(data: Path, wanted: str) -> Iterator[str]:
    for group in read_made(data / "mixed.jsonl", Group):
        if wanted in (group.id, group.prompt.id):
            lines = (f"  {one.id}  {one.kind}: {one.query}" for one in group.trajectories)
            yield f"group {group.id} of the training data, prompt {group.prompt.id}:\n" + "\n".join(
                lines
            )


def _find_rejects(data: Path, wanted: str) -> Iterator[str]:
    for path in (data / name for name in REJECTS):
        for number, reject in enumerate(read_made(path, Reject), 1):
            if wanted in (reject.trajectory.id, reject.group):
                turns = "\n".join(map(format_json, reject.trajectory.turns))
                reason = f"{reject.reason} {reject.detail}".strip()
                yield (
                    f"reject {reject.trajectory.id} of group {reject.group} ({path}:{number}): "
                    f"{reason}\n{turns}"
                )
    path = data / IMPORT_REJECTS
    for number, row in enumerate(read_made(path, ImportReject), 1):
        if row.trajectory and row.trajectory.id == wanted:
            yield f"reject of import_data ({path}:{number}): {row.reason}\n{format_json(row)}"


def _find_tasks(data: Path, wanted: str) -> Iterator[str]:
    """The first suite that has the task; the answers are to the slice that was asked."""
    files = [*sorted((data / "asked").glob("*/tasks.jsonl")), *sorted(SUITES.glob("*/tasks.jsonl"))]
    for path in [*files, CANDIDATES / "tasks.jsonl"]:
        for task in read_made(path, Task):
            if task.id == wanted:
                turns = "\n".join(map(format_json, task.turns))
                golds = "\n".join(f"gold: {format_json(gold)}" for gold in task.golds)
                answers = "".join(_list_answers(data, wanted))
                yield f"task {task.id} ({path}), {task.kind}\n{turns}\n{golds}\n{answers}".rstrip()
                return


def _list_answers(data: Path, task: str) -> Iterator[str]:
    for row in read_made(data / "scores.jsonl", ScoredAnswer):
        if row.task == task:
            yield f"\n{row.model}: {row.reason or 'right'}\n{row.answer or '(nothing)'}\n"


def _find_rated(_: Path, wanted: str) -> Iterator[str]:
    for answer in read_made(RATED, Rated):
        if answer.id == wanted:
            versions = ", ".join(answer.versions)
            yield f"answer {answer.id} to {answer.task}, by {versions}:\n{answer.text}"


def _find_episodes(data: Path, wanted: str) -> Iterator[str]:
    for row in read_made(data / "goals.jsonl", EpisodeScore):
        if row.episode == wanted:
            steps = "\n".join(format_json(step) for step in row.steps)
            outcome = f"{row.outcome} {row.reason}".strip()
            yield f"episode {row.episode}, {row.model}: {outcome}\n{row.query}\n{steps}"


def main(data: Path, base: Path, wanted: Path | None = None) -> None:
    name, mixed = str(wanted) if wanted else "", data / "mixed.jsonl"
    texts = list(find_texts(data, name)) if name else []
    for text in texts:
        print(show_controls(text, kept="\n") + "\n", flush=True)
    if not name:
        missing_step.expect(mixed, "training data", "dvc repro mix")
    ids = (one.id for group in read_made(mixed, Group) for one in group.trajectories)
    if not name or name in ids:
        print(f"trajectory of {mixed}; trained tokens are green", file=sys.stderr)
        inspect_labels.main(mixed, base, wanted)
    elif not texts:
        missing = "" if (data / "scores.jsonl").exists() else "; `make repro` makes all of it"
        raise BadInput(
            f"{name!r}: no trajectory, group, reject, task, rated answer or episode has this id in "
            f"{data}, {SUITES} and {RATED.parent}{missing}"
        )


if __name__ == "__main__":
    cli.run(main)
