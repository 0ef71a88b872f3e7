"""The events on disk: a SQLite database to work in, a sorted JSONL file for git.

The database takes two raters at once and survives kill -9: a page is sent after the commit of its
action. Everything else reads the file. It is rewritten after every action, and read back if there
is no database, as in a fresh clone.
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
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
    """Opens the database, and copies the events that it or the file lacks from the other."""

    def __init__(self, database: Path, log: Path) -> None:
        self.database = database
        self.log = log
        database.parent.mkdir(parents=True, exist_ok=True)
        # Only one process may create the WAL database: SQLite fails at once if two try.
        with open(database.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._connect() as connection:
                connection.executescript(SCHEMA)
        self._import()
        self._export()

    def events(self) -> list[Event]:
        with self._connect() as connection:
            return list(_read_events(connection))

    def people(self) -> list[str]:
        """Everybody who has an event, the first spelling of a name before others."""
        with self._connect() as connection:
            rows = connection.execute("SELECT DISTINCT who FROM events ORDER BY who")
            return [who for (who,) in rows]

    def record(self, who: str, subject: str, after: Opinion, shown: str = "") -> Event:
        with self._write() as connection:
            mine = list(_read_events(connection, who))
            current = find_current(mine, type(after)).get(subject, {}).get(who)
            before = current.after if current else None
            number = _find_next_number(mine)
            event = Event(subject, who, number, _format_now(), before, after, shown=shown)
            _insert(connection, event)
        self._export()
        return event

    def undo(self, who: str) -> Event | None:
        """Take back this person's last opinion; None if there is none left."""
        with self._write() as connection:
            mine = list(_read_events(connection, who))
            last = find_undoable(mine)
            if last is None or last.after is None:
                return None
            earlier = [event for event in mine if event.number < last.number]
            held = find_current(earlier, type(last.after)).get(last.subject, {}).get(who)
            event = _take_back(last, _find_next_number(mine), held)
            _insert(connection, event)
        self._export()
        return event

    def withdraw(self, who: str, subject: str, kind: type[Opinion]) -> Event | None:
        """Take back this person's opinion of a subject; None if there is none."""
        with self._write() as connection:
            mine = list(_read_events(connection, who))
            current = find_current(mine, kind).get(subject, {}).get(who)
            if current is None:
                return None
            event = _take_back(current, _find_next_number(mine), None)
            _insert(connection, event)
        self._export()
        return event

    def _import(self) -> None:
        if not self.log.exists():
            return
        with self._write() as connection:
            known = {event.key: event for event in _read_events(connection)}
            for line, event in enumerate(jsonl.read(self.log, Event), 1):
                if event.key not in known:
                    known[event.key] = event
                    _insert(connection, event)
                elif known[event.key] != event:
                    who, number = event.key
                    raise BadInput(
                        f"{self.log}:{line}: number: {self.database} has a different event "
                        f"{number} of {who}; delete the file that is wrong"
                    )

    def _export(self) -> None:
        # Under the write lock, so that no slower writer overwrites the file with an older state.
        with self._write() as connection:
            events = sorted(_read_events(connection), key=lambda event: (event.subject, event.key))
            if events or self.log.exists():
                jsonl.write(self.log, events)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.database, timeout=LOCK_TIMEOUT, isolation_level=None)
        try:
            # With NORMAL, a power cut may lose the last commits of a WAL.
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")  # after an error, closing rolls back instead


def _read_events(connection: sqlite3.Connection, who: str | None = None) -> Iterator[Event]:
    """The events of everybody or of one person, by person and number."""
    rows = connection.execute(
        "SELECT line FROM events WHERE ?1 IS NULL OR who = ?1 ORDER BY who, number", (who,)
    )
    return (msgspec.json.decode(line, type=Event) for (line,) in rows)


def _find_next_number(mine: Sequence[Event]) -> int:
    """Above all numbers of one person, of which a bad merge of the file may have lost some."""
    return max((event.number for event in mine), default=0) + 1


def _take_back(last: Event, number: int, held: Event | None) -> Event:
    """What an earlier event said holds again, on what the person saw then; or nothing does."""
    return Event(
        last.subject,
        last.who,
        number,
        _format_now(),
        before=last.after,
        after=held.after if held else None,
        takes_back=last.number,
        shown=held.shown if held else last.shown,
    )


def _insert(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "INSERT INTO events VALUES (?, ?, ?)", (*event.key, msgspec.json.encode(event))
    )


def _format_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
