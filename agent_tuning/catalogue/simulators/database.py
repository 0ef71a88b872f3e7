"""A real SQLite database in memory: tables of people, the same columns in each."""

import sqlite3
import weakref
from functools import cache
from typing import ClassVar

from agent_tuning.catalogue.simulators.world import Refused, draw, pick
from agent_tuning.records import Json

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
INSERT = f"INSERT INTO {{table}} ({', '.join(TEXTS + NUMBERS)}) VALUES (?, ?, ?, ?, ?)"


class Database:
    """The seed draws everybody's city, status, age and balance."""

    TOOLS: ClassVar[tuple[str, ...]] = (
        "count_rows",
        "select_rows",
        "top_row",
        "insert_row",
        "update_row",
        "delete_row",
    )

    def __init__(self, seed: str) -> None:
        database = sqlite3.connect(":memory:")
        weakref.finalize(self, database.close)
        self._sql = database.execute
        for table in TABLES:
            self._sql(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, "
                "city TEXT, status TEXT, age INTEGER, balance INTEGER)"
            )
            database.executemany(INSERT.format(table=table), _people(seed, table))

    def count_rows(self, table: str, column: str, value: str) -> dict[str, Json]:
        return {"count": len(self._matching(table, column, value))}

    def select_rows(self, table: str, column: str, value: str) -> dict[str, Json]:
        """The first matching row; id 0 if there is none."""
        rows = self._matching(table, column, value)
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
            insert = INSERT.format(table=_known(table, TABLES, "table"))
            key = self._sql(insert, (name, city, "new", 0, 0)).lastrowid
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

    def _matching(self, table: str, column: str, value: str) -> list[tuple[Json, ...]]:
        where = f"{_known(table, TABLES, 'table')} WHERE {_known(column, TEXTS, 'column')} = ?"
        return self._sql(f"SELECT * FROM {where} ORDER BY id", (value,)).fetchall()

    def _row(self, table: str, id: int) -> dict[str, Json]:
        table = _known(table, TABLES, "table")
        row = self._sql(f"SELECT * FROM {table} WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise Refused(f"no row {id} in {table}")
        return _row(row)


@cache  # every world of a seed begins with the same rows
def _people(seed: str, table: str) -> list[tuple[str, str, str, int, int]]:
    return [
        (
            person,
            pick(CITIES, "city", seed, table, person),
            pick(STATUSES, "status", seed, table, person),
            18 + draw("age", seed, table, person, below=60),
            draw("balance", seed, table, person, below=10_000),
        )
        for person in PEOPLE
    ]


def _row(values: tuple[Json, ...]) -> dict[str, Json]:
    return dict(zip(("id", *TEXTS, *NUMBERS), values, strict=True))


def _known(name: str, names: tuple[str, ...], what: str) -> str:
    """A name that may stand in SQL: it is one of ours."""
    if name not in names:
        raise Refused(f"no {what} {name}")
    return name
