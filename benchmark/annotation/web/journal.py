"""The events on disk: a SQLite database to work in, a sorted JSONL file for git.

A database takes two raters at once and survives kill -9: an action is answered after its commit.
The file is what everything else reads; it is written anew after every action, and read back when
the database is not there, as in a fresh clone.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput
from benchmark.annotation.web.events import Event, Opinion, find_current, find_undoable

LOCK_TIMEOUT = 30.0  # seconds for another writer

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS events (
    who TEXT NOT NULL, number INTEGER NOT NULL, line BLOB NOT NULL, PRIMARY KEY (who, number)
);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END;
"""


class Journal:
    """Opens the database, takes in what the file has and it has not, and the other way round."""

    def __init__(self, database: Path, log: Path) -> None:
        self.database = database
        self.log = log
        database.parent.mkdir(parents=True, exist_ok=True)
        # Two that make one file a WAL database at once do not wait: SQLite says it is locked.
        with open(database.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._connected() as connection:
                connection.executescript(SCHEMA)
        self._take_in()
        self._export()

    def events(self) -> list[Event]:
        with self._connected() as connection:
            return list(_read(connection))

    def record(self, who: str, subject: str, after: Opinion, shown: str = "") -> Event:
        with self._writing() as connection:
            mine = list(_read(connection, who))
            held = find_current(mine).get(subject, {}).get(who)
            before = held.after if held else None
            event = Event(subject, who, len(mine) + 1, _now(), before, after, shown=shown)
            _insert(connection, event)
        self._export()
        return event

    def undo(self, who: str) -> Event | None:
        """Take back this person's last opinion; None if there is none left."""
        with self._writing() as connection:
            mine = list(_read(connection, who))
            last = find_undoable(mine)
            if last is None:
                return None
            event = Event(
                last.subject,
                who,
                len(mine) + 1,
                _now(),
                before=last.after,
                after=last.before,
                takes_back=last.number,
                shown=last.shown,
            )
            _insert(connection, event)
        self._export()
        return event

    def _take_in(self) -> None:
        if not self.log.exists():
            return
        with self._writing() as connection:
            known = {event.place: event for event in _read(connection)}
            for line, event in enumerate(jsonl.read(self.log, Event), 1):
                if known.setdefault(event.place, event) != event:
                    who, number = event.place
                    raise BadInput(
                        f"{self.log}:{line}: number: {self.database} has another event {number} "
                        f"of {who}; two copies went apart, keep one of them"
                    )
                _insert(connection, event)

    def _export(self) -> None:
        # Under the write lock, so that a slower writer cannot put an older state over a newer.
        with self._writing() as connection:
            events = sorted(_read(connection), key=lambda event: (event.subject, event.place))
            if events or self.log.exists():
                jsonl.write(self.log, events)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.database, timeout=LOCK_TIMEOUT, isolation_level=None)
        try:
            # With NORMAL a power cut may take the last commits of a WAL.
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")  # without it, closing rolls back


def _read(connection: sqlite3.Connection, who: str | None = None) -> Iterator[Event]:
    """The events of everybody or of one person, in the order of their numbers."""
    rows = connection.execute(
        "SELECT line FROM events WHERE ?1 IS NULL OR who = ?1 ORDER BY who, number", (who,)
    )
    return (msgspec.json.decode(line, type=Event) for (line,) in rows)


def _insert(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?)", (*event.place, msgspec.json.encode(event))
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
