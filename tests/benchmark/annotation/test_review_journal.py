"""Events: none is lost, none is changed, and what holds follows from them alone."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput
from benchmark.annotation.web.events import (
    Event,
    Flag,
    Rating,
    Verdict,
    find_current,
    find_undoable,
)
from benchmark.annotation.web.journal import Journal

WRITER = """
import sys
from pathlib import Path
from benchmark.annotation.web.events import Rating
from benchmark.annotation.web.journal import Journal
journal = Journal(Path(sys.argv[1]), Path(sys.argv[2]))
for number in range(int(sys.argv[4])):
    journal.record(sys.argv[3], f"s{number}", Rating(number % 6))
    print(number, flush=True)
"""


APPROVE = Verdict("approve")


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "work.db", tmp_path / "events.jsonl")


def opinions(journal, who="ann"):
    """What holds, by subject."""
    return {
        subject: by[who].after
        for subject, by in find_current(journal.events(), Rating).items()
        if who in by
    }


def test_an_event_says_who_when_about_what_and_what_was_before(journal):
    journal.record("ann", "a", Rating(2))
    event = journal.record("ann", "a", Rating(4), shown="x")
    assert (event.subject, event.who, event.number, event.shown) == ("a", "ann", 2, "x")
    assert (event.before, event.after) == (Rating(2), Rating(4))
    assert event.when.endswith("+00:00")


def test_an_undo_brings_back_what_held_before(journal):
    journal.record("ann", "a", Rating(2))
    journal.record("ann", "a", Rating(4))
    journal.record("ann", "b", Rating(1))
    assert journal.undo("ann").subject == "b"
    assert opinions(journal) == {"a": Rating(4)}
    journal.undo("ann")
    assert opinions(journal) == {"a": Rating(2)}


def test_an_undo_takes_back_ones_own_opinions_only(journal):
    journal.record("ann", "a", Rating(2))
    journal.record("ben", "a", Rating(5))
    journal.undo("ann")
    assert journal.undo("ann") is None
    assert opinions(journal, "ben") == {"a": Rating(5)}


def test_a_flag_replaces_no_verdict_and_is_withdrawn_by_itself(journal):
    journal.record("ann", "a", Verdict("approve"))
    journal.record("ann", "a", Flag("ask the shop"))
    journal.record("ann", "b", Verdict("approve"))
    flags = find_current(journal.events(), Flag)
    assert flags["a"]["ann"].after == Flag("ask the shop")
    journal.withdraw("ann", "a", Flag)
    assert journal.withdraw("ann", "a", Flag) is None
    assert find_current(journal.events(), Flag) == {}
    assert find_current(journal.events(), Verdict).keys() == {"a", "b"}
    assert journal.undo("ann").subject == "b"  # what was withdrawn is not taken back again


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "undo"]), max_size=12))
def test_undos_leave_what_would_hold_without_what_they_undid(actions):
    events: list[Event] = []
    kept: list[tuple[str, Rating]] = []
    for number, action in enumerate(actions, 1):
        held = {subject: by["ann"].after for subject, by in find_current(events, Rating).items()}
        if action != "undo":
            kept.append((action, Rating(number % 6)))
            events.append(Event(action, "ann", number, "", held.get(action), kept[-1][1]))
        elif last := find_undoable(events):
            kept.pop()
            back = Event(last.subject, "ann", number, "", last.after, last.before, last.number)
            events.append(back)
        held = {subject: by["ann"].after for subject, by in find_current(events, Rating).items()}
        assert held == dict(kept)


def test_nobody_can_change_or_remove_an_event(journal):
    journal.record("ann", "a", Rating(2))
    with closing(sqlite3.connect(journal.database)) as connection:
        for statement in ("UPDATE events SET who = 'ben'", "DELETE FROM events"):
            with pytest.raises(sqlite3.DatabaseError, match="only ever added"):
                connection.execute(statement)
    assert len(journal.events()) == 1


def test_the_file_is_sorted_and_the_same_whatever_the_order_of_work(tmp_path):
    written = []
    for order in ("ab", "ba"):
        opened = Journal(tmp_path / f"{order}.db", tmp_path / f"{order}.jsonl")
        for who in order:
            opened.record(who, "s", Rating(1))
        events = [msgspec.structs.replace(e, when="") for e in jsonl.read(opened.log, Event)]
        written.append(events)
    assert written[0] == written[1]


def test_a_fresh_clone_goes_on_from_the_file(tmp_path, journal):
    journal.record("ann", "a", Verdict("approve"))
    before = journal.log.read_bytes()
    clone = Journal(tmp_path / "other.db", journal.log)
    assert clone.events() == journal.events()
    assert journal.log.read_bytes() == before
    assert clone.record("ann", "b", Verdict("approve")).number == 2


def test_after_a_lost_line_no_action_is_lost(tmp_path, journal):
    for subject in "abc":
        journal.record("ann", subject, Rating(1))
    journal.record("ann", "d", Flag("look"))
    first, _, *rest = journal.log.read_bytes().splitlines(keepends=True)
    journal.log.write_bytes(b"".join([first, *rest]))  # as a bad merge leaves it
    clone = Journal(tmp_path / "other.db", journal.log)
    assert clone.record("ann", "e", Rating(5)).number == 5
    assert clone.undo("ann").number == 6
    assert clone.withdraw("ann", "d", Flag).number == 7
    assert [event.number for event in clone.events()] == [1, 3, 4, 5, 6, 7]
    assert [event.number for event in jsonl.read(clone.log, Event)] == [1, 3, 4, 7, 5, 6]
    assert opinions(clone).keys() == {"a", "c"}


def test_an_undo_brings_an_opinion_back_on_what_the_person_saw_then(journal):
    journal.record("ann", "a", Verdict("approve"), shown="old")
    journal.record("ann", "a", Verdict("reject", reason="unclear"), shown="new")
    journal.record("ann", "a", Verdict("approve"), shown="newest")
    for shown, verdict in (("new", Verdict("reject", reason="unclear")), ("old", APPROVE)):
        back = journal.undo("ann")
        assert (back.after, back.shown) == (verdict, shown)
    journal.record("ann", "a", Verdict("reject", reason="other"), shown="new")
    assert journal.undo("ann").shown == "old"  # of what an undo had brought back
    journal.undo("ann")
    assert find_current(journal.events(), Verdict) == {}


def test_two_copies_that_went_apart_are_not_mixed(tmp_path, journal):
    journal.record("ann", "a", Rating(1))
    other = Journal(tmp_path / "other.db", tmp_path / "other.jsonl")
    other.record("ann", "b", Rating(5))
    with pytest.raises(BadInput, match=r"other\.jsonl:1: number: .* different event 1 of ann"):
        Journal(journal.database, other.log)


def test_two_raters_at_once_lose_nothing(journal):
    def work(who):
        return [journal.record(who, f"s{n}", Rating(n % 6)) for n in range(25)]

    with ThreadPoolExecutor(2) as pool:
        given = [event for events in pool.map(work, ["ann", "ben"]) for event in events]
    assert sorted(journal.events(), key=lambda e: e.key) == sorted(given, key=lambda e: e.key)
    assert len(list(jsonl.read(journal.log, Event))) == 50


def test_one_person_in_two_windows_loses_nothing(journal):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: journal.record("ann", f"s{n}", Rating(1)), range(40)))
    assert [event.number for event in journal.events()] == list(range(1, 41))


def writer(folder, who, count):
    paths = [str(folder / "work.db"), str(folder / "events.jsonl")]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *paths, who, str(count)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_kill_9_while_saving_loses_no_acknowledged_action(tmp_path):
    acknowledged = 0
    for kill in range(4):
        with writer(tmp_path, f"r{kill}", 10_000) as process:
            first = process.stdout.readline()
            time.sleep(random.Random(kill).random() * 0.3)
            os.kill(process.pid, signal.SIGKILL)
            lines = [first, *process.stdout]
        acknowledged = sum(1 for line in lines if line.endswith("\n"))
        journal = Journal(tmp_path / "work.db", tmp_path / "events.jsonl")
        mine = [event for event in journal.events() if event.who == f"r{kill}"]
        assert acknowledged <= len(mine) <= acknowledged + 1
        assert list(jsonl.read(journal.log, Event)) == sorted(
            journal.events(), key=lambda event: (event.subject, event.key)
        )
    assert acknowledged


@pytest.mark.slow
def test_two_servers_over_one_database_lose_nothing(tmp_path):
    both = [writer(tmp_path, who, 30) for who in ("ann", "ben")]
    for process in both:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert len(output.split()) == 30
    journal = Journal(tmp_path / "work.db", tmp_path / "events.jsonl")
    assert len(journal.events()) == 60
    assert len(list(jsonl.read(journal.log, Event))) == 60
