"""What all drafts of the grammar share: queries that training never sees, and tasks cut from them.

A query that counts as seen has held-out values, and an unseen one held-out phrasings too.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from agent_tuning.catalogue.entry_records import Scenario
from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Language, Trajectory
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle
from benchmark.drafting.draft_sources import DraftSources
from benchmark.tasks import suites
from benchmark.tasks.gold_turn import build_gold
from benchmark.tasks.suite_version import Version, read_version, write_version
from benchmark.tasks.suites import Erratum, Gold, Suite


class DraftedTask(NamedTuple):
    """A trajectory, cut before the decision that the task asks for."""

    query_axis: str
    trajectory: Trajectory
    cut: int  # the number of turns before the decision

    @property
    def gold(self) -> Gold:
        decision = self.trajectory.turns[self.cut]
        assert isinstance(decision, Assistant)
        return build_gold(decision)


class Drafter:
    """Draws the queries of one suite."""

    def __init__(self, sources: DraftSources, style: WritingStyle) -> None:
        self.catalogue = catalogue = sources.catalogue
        wordings = sources.phrasing
        self.teachers = {
            "seen": ScriptedTeacher(catalogue, wordings, style, "train", "held_out"),
            "unseen": ScriptedTeacher(catalogue, wordings, style, "held_out", "held_out"),
        }
        self.general_questions = sources.general_questions.asked("held_out")
        self.uses: Counter[str] = Counter()  # of a tool or a cell, so that no query recurs
        self.queries: set[str] = set()  # that must not be drawn again

    def is_new(self, query: str) -> bool:
        return query not in self.queries

    def _draw_query(
        self, axis: str, tool: str, scenario: Scenario, language: Language
    ) -> tuple[str, Trajectory]:
        """The next query of a cell, and the axis that it is of."""
        cell = f"{tool}.{scenario.name}.{language}.{axis}"
        request = TrajectoryRequest(tool, scenario.name, scenario.complexity, self.uses[cell])
        self.uses[cell] += 1
        return axis, self.teachers[axis].write_positive(request, language)


def write_draft(folder: Path, suite: Suite, version: int) -> None:
    """Write a suite and its version, which names the version before if that is kept beside it.

    Raises BadInput if an overlay there corrects a task that the suite has no more.
    """
    _check_overlays(folder, suite)
    suites.write(folder, suite)
    before = folder.with_name(f"{folder.name}-{version - 1}")
    parent = suites.read(before).digest if before.exists() else ""
    write_version(folder, Version(version, suite.digest, parent))
    print(f"{folder}: version {version}, {len(suite.tasks)} tasks, {len(suite.tools)} tools")


def write_next_version(folder: Path, suite: Suite) -> None:
    """Write a suite over the one that is there: as its next version, if any task is another.

    Raises BadInput if somebody changed the one that is there by hand, or if an overlay there
    corrects a task that the suite has no more.
    """
    _check_overlays(folder, suite)
    number, parent = 1, ""
    if (folder / "tasks.jsonl").exists():
        before = suites.read(folder, 0)
        version = read_version(folder, before)
        changed = before.digest != suite.digest
        number = version.version + changed
        parent = before.digest if changed else version.parent
    suites.write(folder, suite)
    write_version(folder, Version(number, suite.digest, parent))
    print(f"{folder}: version {number}, {len(suite.tasks)} tasks, {len(suite.tools)} tools")


def _check_overlays(folder: Path, suite: Suite) -> None:
    """Raises BadInput if a task that an overlay of the folder corrects is gone or has other turns.

    An erratum names its task by id alone, and ids come from lines and places, which may move.
    """
    overlays = suites.list_overlays(folder)
    is_there = bool(overlays) and (folder / "tasks.jsonl").exists()
    before = {task.id: task.turns for task in suites.read(folder, 0).tasks} if is_there else {}
    after = {task.id: task.turns for task in suite.tasks}
    for overlay in overlays:
        for line, erratum in enumerate(jsonl.read(overlay, Erratum), 1):
            if erratum.task not in after or before.get(erratum.task) != after[erratum.task]:
                raise BadInput(
                    f"{overlay}:{line}: task: {erratum.task!r} is gone or another task now: "
                    f"restore what {folder} is made from, or take this line out, make the suite "
                    f"again, and then correct the task anew: make review OF={folder}"
                )
