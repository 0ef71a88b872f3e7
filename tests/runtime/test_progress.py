"""Progress: plain lines, not too many, with the time left."""

import pytest

from agent_tuning.runtime import progress
from agent_tuning.runtime.progress import Progress


class Clock:
    """`time` that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_line_says_how_far_and_how_long(clock, capsys):
    shown = Progress("train", 150)
    clock.now += 24
    shown.show(12, "loss 1.2")
    assert capsys.readouterr().out == "train 12/150 8% 4:36 left: loss 1.2\n"


def test_lines_are_seldom(clock, capsys):
    shown = Progress("train", 150, seconds=5)
    for done in range(1, 11):
        clock.now += 1
        shown.show(done)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["5/150", "10/150"]


@pytest.mark.usefixtures("clock")
def test_the_end_is_always_shown(capsys):
    Progress("base", 3).show(3)
    assert capsys.readouterr().out == "base 3/3 100% done\n"


def test_what_an_earlier_run_did_does_not_count_for_the_speed(clock, capsys):
    shown = Progress("train", 100, done=90)
    clock.now += 10
    shown.show(95)
    assert "0:10 left" in capsys.readouterr().out


@pytest.mark.usefixtures("clock")
def test_nothing_to_do_is_no_division_by_zero(capsys):
    Progress("base", 0).show(0)
    assert capsys.readouterr().out == "base 0/0 0% done\n"


def test_a_line_moves_within_the_work_in_hand(clock, capsys):
    shown = Progress("base", 40)
    for part in (0, 4, 9.5):
        clock.now += 5
        shown.show_part(part)
    assert capsys.readouterr().out.splitlines() == [
        "base 0/40 0% started",
        "base 4/40 10% 1:30 left",
        "base 9.5/40 23% 0:48 left",
    ]


def test_a_part_counts_from_what_is_done_and_ends_with_it(clock, capsys):
    shown = Progress("base", 40, done=20)
    clock.now += 5
    shown.show(30, "note")
    clock.now += 5
    shown.show_part(5)
    shown.show(40)
    clock.now += 5
    shown.show_part(1)  # what comes after the end, such as validation
    assert capsys.readouterr().out.splitlines() == [
        "base 30/40 75% 0:05 left: note",
        "base 35/40 87% 0:03 left: note",
        "base 40/40 100% done",
    ]
