"""A real SQLite database in memory: tables of people, the same columns in each."""

import sqlite3
from typing import ClassVar

from trajectory.records import Json
from trajectory.simulators.world import Refused, draw, pick

TABLES = (
    "employees", "customers", "suppliers", "members", "students",
    "drivers", "tenants", "donors", "authors", "guests",
)  # fmt: skip
PEOPLE = (
    "Ana Lopez", "Ben Carter", "Chloe Martin", "David Kim", "Emma Novak", "Farid Haddad",
    "Grace Okoye", "Hugo Silva", "Ines Weber", "Jonas Berg",
    "王芳", "李强", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽", "周杰", "吴霞",
)  # fmt: skip
CITIES = (
    "Oslo", "Leeds", "Boston", "Dublin", "Denver", "Perth", "Austin", "Bristol",
    "北京", "上海", "广州", "成都", "杭州", "西安", "武汉", "南京",
)  # fmt: skip
STATUSES = ("active", "paused", "blocked", "new")
TEXTS = ("name", "city", "status")
NUMBERS = ("age", "balance")


class Database:
    TOOLS: ClassVar[tuple[str, ...]] = (
        "count_rows",
        "select_rows",
        "top_row",
        "insert_row",
        "update_row",
        "delete_row",
    )

    def __init__(self, seed: str) -> None:
        self._sql = sqlite3.connect(":memory:").execute
        for table in TABLES:
            self._sql(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, "
                "city TEXT, status TEXT, age INTEGER, balance INTEGER)"
            )
            for person in PEOPLE:
                self._add(table, person, *_details(seed, table, person))

    def count_rows(self, table: str, column: str, value: str) -> dict[str, Json]:
        where = f"{_known(table, TABLES, 'table')} WHERE {_known(column, TEXTS, 'column')} = ?"
        (count,) = self._sql(f"SELECT count(*) FROM {where}", (value,)).fetchone()
        return {"count": count}

    def select_rows(self, table: str, column: str, value: str) -> dict[str, Json]:
        """The first matching row; id 0 if there is none."""
        where = f"{_known(table, TABLES, 'table')} WHERE {_known(column, TEXTS, 'column')} = ?"
        rows = self._sql(f"SELECT * FROM {where} ORDER BY id", (value,)).fetchall()
        return {"count": len(rows), **_row(rows[0])} if rows else {"count": 0, "id": 0}

    def top_row(self, table: str, column: str) -> dict[str, Json]:
        """The row with the highest number in a column."""
        order = f"{_known(column, NUMBERS, 'column')} DESC, id"
        table = _known(table, TABLES, "table")
        row = self._sql(f"SELECT * FROM {table} ORDER BY {order} LIMIT 1").fetchone()
        if row is None:
            raise Refused(f"{table} is empty")
        return _row(row)

    def insert_row(self, table: str, name: str, city: str) -> dict[str, Json]:
        try:
            key = self._add(_known(table, TABLES, "table"), name, city, "new", 0, 0)
        except sqlite3.IntegrityError as error:
            raise Refused(f"{name} is already in {table}") from error
        return {"id": key, "status": "new"}

    def update_row(self, table: str, id: int, column: str, value: str) -> dict[str, Json]:
        was = self._row(table, id)[_known(column, TEXTS[1:], "column")]
        self._sql(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, id))
        return {"id": id, "was": was, "value": value}

    def delete_row(self, table: str, id: int) -> dict[str, Json]:
        row = self._row(table, id)
        self._sql(f"DELETE FROM {table} WHERE id = ?", (id,))
        (left,) = self._sql(f"SELECT count(*) FROM {table}").fetchone()
        return {"name": row["name"], "rows_left": left}

    def state(self) -> dict[str, Json]:
        """The rows of every table, as lists in the order of the columns."""
        return {
            table: list(map(list, self._sql(f"SELECT * FROM {table} ORDER BY id")))
            for table in TABLES
        }

    def _add(self, table: str, *values: str | int) -> int | None:
        columns = ", ".join(TEXTS + NUMBERS)
        return self._sql(
            f"INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?)", values
        ).lastrowid

    def _row(self, table: str, id: int) -> dict[str, Json]:
        row = self._sql(
            f"SELECT * FROM {_known(table, TABLES, 'table')} WHERE id = ?", (id,)
        ).fetchone()
        if row is None:
            raise Refused(f"no row {id} in {table}")
        return _row(row)


def _details(seed: str, table: str, person: str) -> tuple[str, str, int, int]:
    words = (seed, table, person)
    age, balance = 18 + draw("age", *words, below=60), draw("balance", *words, below=10_000)
    return pick(CITIES, "city", *words), pick(STATUSES, "status", *words), age, balance


def _row(values: tuple[Json, ...]) -> dict[str, Json]:
    return dict(zip(("id", *TEXTS, *NUMBERS), values, strict=True))


def _known(name: str, names: tuple[str, ...], what: str) -> str:
    """A name that may stand in SQL: it is one of ours."""
    if name not in names:
        raise Refused(f"no {what} {name}")
    return name
