"""docs/suites.md: its suite passes the check, and its lists are those of the code."""

import re
from pathlib import Path

import pytest

from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import REPLY_FORMATS, TOOL_FORMATS
from agent_tuning.records import NATIVE, Assistant, ToolResult, User
from agent_tuning.runtime import config
from benchmark.reports import suite_problems
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.tasks import suites
from tests.support import kiosk_suite

SECTION = kiosk_suite.PAGE.read_text().partition("## Write a suite by hand")[2]


@pytest.mark.parametrize("copies", [1, 5])
def test_the_suite_of_the_page_has_a_task_of_every_form_and_no_problem(
    tmp_path: Path, copies: int
) -> None:
    folder = tmp_path / "kiosk"
    written = kiosk_suite.write(folder, copies)
    suite = suites.read(folder)
    assert len(suite.tasks) == written == 6 * copies
    assert not list(suite_problems.find_problems(suite, config.load("scoring", ScoreConfig)))
    assert {task.decision for task in suite.tasks} == {"call", "no_call", "ask"}
    turns = [type(turn) for task in suite.tasks for turn in task.turns]
    assert {*turns} == {User, Assistant, ToolResult}
    assert any(prompt.instructions for prompt in suite.prompts.values())


def test_the_page_lists_all_names_that_a_prompt_may_use() -> None:
    def listed(start: str, end: str) -> list[str]:
        text = SECTION.partition(start)[2].partition(end)[0]
        return re.findall(r"[a-z]+", text.replace(" and ", " "))

    for language, start in (("en", "- `template`: "), ("zh", "after it; ")):
        names = [
            name.removesuffix(f".{language}") for name in system_prompt.template_names(language)
        ]
        assert listed(start, "with `") == names
    assert listed("`tool_format`: ", ".\n") == list(TOOL_FORMATS)
    assert listed("`reply_format`: ", ".\n") == [name for name in REPLY_FORMATS if name != NATIVE]
