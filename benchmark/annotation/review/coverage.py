"""How often a suite asks for each cell of the catalogue: a tool, a scenario and a language."""

import re
from collections import Counter

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import LANGUAGES, SLOT
from agent_tuning.records import Language
from agent_tuning.synthesis.teachers.scripted import strip_thought_prefix
from benchmark.tasks.suites import Suite

Cell = tuple[str, str, Language]  # tool, scenario, language


def count_coverage(catalogue: Catalogue, suite: Suite) -> Counter[Cell]:
    """Count the tasks of each cell. The thought of a task's first gold tells its cell."""
    patterns = [
        (_compile_goal(getattr(turn.goal, language)), (tool, scenario.name, language))
        for tool, scenario in catalogue.cells()
        for language in LANGUAGES
        for turn in scenario.turns(tool)
    ]
    goals = Counter(
        (strip_thought_prefix(task.golds[0].thought), suite.prompt(task).language)
        for task in suite.tasks
    )
    coverage: Counter[Cell] = Counter()
    for (goal, language), count in goals.items():
        for pattern, cell in patterns:
            if cell[2] == language and pattern.fullmatch(goal):
                coverage[cell] += count
    return coverage


def _compile_goal(goal: str) -> re.Pattern[str]:
    """A pattern that matches the goal with any values in its slots."""
    return re.compile(".+".join(map(re.escape, SLOT.split(goal)[::2])), re.IGNORECASE)
