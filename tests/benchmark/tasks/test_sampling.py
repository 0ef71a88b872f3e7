"""The sample of a suite: whole groups, always the same ones, with the shares of the whole suite."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.tasks import suites
from benchmark.tasks.sampling import sample_groups
from benchmark.tasks.suites import Suite

HOUSE = suites.read(Path("benchmark/suites/house"))
SAMPLE = sample_groups(HOUSE, 36)


def groups(suite: Suite) -> set[str]:
    return {task.prompt for task in suite.tasks}


def test_a_sample_consists_of_whole_groups():
    assert len(groups(SAMPLE)) == 36
    assert [task for task in HOUSE.tasks if task.prompt in groups(SAMPLE)] == list(SAMPLE.tasks)


def test_the_order_of_the_tasks_does_not_change_the_sample():
    reversed_suite = replace(HOUSE, tasks=HOUSE.tasks[::-1])
    assert groups(sample_groups(reversed_suite, 36)) == groups(SAMPLE)


def test_a_larger_sample_contains_the_smaller_one():
    assert groups(sample_groups(HOUSE, 20)) < groups(SAMPLE)


@pytest.mark.parametrize("number", [None, 180, 9999])
def test_a_sample_of_all_groups_is_the_suite_itself(number):
    assert sample_groups(HOUSE, number) is HOUSE


def test_a_sample_of_no_groups_has_no_tasks():
    assert sample_groups(HOUSE, 0).tasks == ()


@pytest.mark.parametrize("facet", ["kind", "decision", "language", "reply_format", "tool_format"])
def test_the_shares_of_a_facet_are_those_of_the_whole(facet):
    whole, part = (Counter(values(suite, facet)) for suite in (HOUSE, SAMPLE))
    for value, count in whole.items():
        assert abs(count / len(HOUSE.tasks) - part[value] / len(SAMPLE.tasks)) < 0.03, value


def values(suite: Suite, facet: str) -> list[str]:
    """The facet of every task, or of its prompt."""
    return [
        getattr(task if hasattr(task, facet) else suite.prompt(task), facet) for task in suite.tasks
    ]


@pytest.mark.parametrize("axis", ["query", "tool", "template", "tool_format"])
def test_the_shares_of_an_axis_are_those_of_the_whole(axis):
    whole, part = (sum(t.axes[axis] == "unseen" for t in suite.tasks) for suite in (HOUSE, SAMPLE))
    assert abs(whole / len(HOUSE.tasks) - part / len(SAMPLE.tasks)) < 0.03


def test_a_sample_has_another_digest_than_the_whole_suite():
    """So that `compare` never sets scores over other tasks beside each other."""
    assert SAMPLE.digest != HOUSE.digest


def test_a_sample_is_written_as_a_suite_that_reads_back(tmp_path):
    suites.write(tmp_path / "house", SAMPLE)
    assert suites.read(tmp_path / "house").digest == SAMPLE.digest
