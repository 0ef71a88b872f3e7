"""The asked part of a suite: whole groups, always the same ones, and like the whole."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.tasks import suites
from benchmark.tasks.sampling import sample_groups
from benchmark.tasks.suites import Suite

HOUSE = suites.read(Path("benchmark/suites/house"))
PART = sample_groups(HOUSE, 36)


def groups(suite: Suite) -> set[str]:
    return {task.group for task in suite.tasks}


def test_it_is_whole_groups():
    assert len(groups(PART)) == 36
    assert [task for task in HOUSE.tasks if task.group in groups(PART)] == list(PART.tasks)


def test_the_order_of_tasks_changes_nothing():
    turned = replace(HOUSE, tasks=HOUSE.tasks[::-1])
    assert groups(sample_groups(turned, 36)) == groups(PART)


def test_a_larger_part_holds_the_smaller_one():
    assert groups(sample_groups(HOUSE, 20)) < groups(PART)


@pytest.mark.parametrize("number", [None, 180, 9999])
def test_all_groups_are_the_suite_itself(number):
    assert sample_groups(HOUSE, number) is HOUSE


def test_no_group_is_no_task():
    assert sample_groups(HOUSE, 0).tasks == ()


@pytest.mark.parametrize("facet", ["kind", "decision", "language", "reply_format", "tool_format"])
def test_the_shares_of_a_facet_are_those_of_the_whole(facet):
    whole, part = (Counter(getattr(t, facet) for t in one.tasks) for one in (HOUSE, PART))
    for value, count in whole.items():
        assert abs(count / len(HOUSE.tasks) - part[value] / len(PART.tasks)) < 0.03, value


@pytest.mark.parametrize("axis", ["query", "tool", "template", "tool_format"])
def test_the_shares_of_an_axis_are_those_of_the_whole(axis):
    whole, part = (sum(t.axes[axis] == "unseen" for t in one.tasks) for one in (HOUSE, PART))
    assert abs(whole / len(HOUSE.tasks) - part / len(PART.tasks)) < 0.03


def test_a_part_is_told_apart_from_the_whole_by_its_digest():
    """So that `compare` never sets scores over other tasks beside each other."""
    assert PART.digest != HOUSE.digest


def test_it_is_written_as_a_suite_that_reads_back(tmp_path):
    suites.write(tmp_path / "house", PART)
    assert suites.read(tmp_path / "house").digest == PART.digest
