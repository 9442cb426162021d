"""Rows over SQLite: one file, serialised writers, and a version number that only grows. No HTTP, no rules."""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .schema import TEXTS, Column, ManyToMany, Schema, Table
from .text import like, sort_key

Row = dict[str, Any]
FIRST_VERSION = 1_000_000


def quoted(name: str) -> str:
    """Return an SQL identifier; names come from the table descriptions only."""
    return '"' + name.replace('"', '""') + '"'


def new_id() -> str:
    """Return a row id the platform would choose."""
    return str(uuid.uuid4())


def now() -> str:
    """Return the present second as the service writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class DataFileError(sqlite3.DatabaseError):
    """The data file is no database of an emulator; the message says which and what to do."""


class Rows:
    """Row access inside one transaction; knows tables and links, no rules."""

    def __init__(self, connection: sqlite3.Connection, schema: Schema) -> None:
        self.connection = connection
        self.schema = schema

    def select(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Return what an SQL query finds."""
        return [dict(row) for row in self.connection.execute(sql, parameters)]

    def get(self, table: str, row_id: str) -> Row | None:
        """Return one row by its id."""
        found = self.find(table, **{self.schema.tables[table].primary_id: row_id})
        return found[0] if found else None

    def find(self, table: str, **equal: Any) -> list[Row]:
        """Return the rows whose columns hold exactly these values."""
        where = " AND ".join(f"{quoted(name)} IS ?" for name in equal) or "1"
        sql = f"SELECT * FROM {quoted(table)} WHERE {where}"  # noqa: S608  # names from the schema
        return self.select(sql, list(equal.values()))

    def insert(self, table: str, values: Row) -> Row:
        """Add a row; id, version and system columns are filled here."""
        described = self.schema.tables[table]
        row = {described.primary_id: new_id(), **values}
        if "createdon" in described.columns:
            row.setdefault("createdon", now())
            row.setdefault("modifiedon", row["createdon"])
        row["versionnumber"] = self.next_version()
        names = ", ".join(quoted(name) for name in row)
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})"  # noqa: S608  # as above
        self.connection.execute(sql, list(row.values()))
        return self.get(table, row[described.primary_id]) or row

    def update(self, table: str, row_id: str, values: Row) -> None:
        """Change columns of a row and raise its version."""
        described = self.schema.tables[table]
        row = {**values, "versionnumber": self.next_version()}
        if "modifiedon" in described.columns:
            row.setdefault("modifiedon", now())
        marks = ", ".join(f"{quoted(name)} = ?" for name in row)
        sql = f"UPDATE {quoted(table)} SET {marks} WHERE {quoted(described.primary_id)} = ?"  # noqa: S608  # as above
        self.connection.execute(sql, [*row.values(), row_id])

    def delete(self, table: str, row_id: str) -> None:
        """Remove a row, nothing else."""
        key = quoted(self.schema.tables[table].primary_id)
        self.connection.execute(f"DELETE FROM {quoted(table)} WHERE {key} = ?", [row_id])  # noqa: S608  # as above

    def link(self, relation: ManyToMany, this_id: str, other_id: str) -> bool:
        """Join two rows; False when they were joined already."""
        pair = {relation.this_column: this_id, relation.other_column: other_id}
        if self.find(relation.intersect, **pair):
            return False
        self.insert(relation.intersect, pair)
        return True

    def unlink(self, relation: ManyToMany, this_id: str, other_id: str) -> bool:
        """Part two rows; False when they were not joined."""
        pair = {relation.this_column: this_id, relation.other_column: other_id}
        found = self.find(relation.intersect, **pair)
        for row in found:
            self.delete(relation.intersect, row[self.schema.tables[relation.intersect].primary_id])
        return bool(found)

    def clear(self) -> None:
        """Remove every row; the version counter goes on."""
        own = ("_late_contract", "_seen_reference", "_entra", "_roleprivilege", "_bot", "_bot_scenario")
        for name in (*self.schema.tables, *own):
            self.connection.execute(f"DELETE FROM {quoted(name)}")  # noqa: S608  # as above

    def next_version(self) -> int:
        """Return the next number of the organization's row version counter."""
        sql = "UPDATE _counter SET value = value + 1 WHERE name = 'version' RETURNING value"
        return int(self.connection.execute(sql).fetchone()[0])


class Store:
    """The database file, its connections and its transactions; ``first`` makes one that is not there yet."""

    def __init__(self, path: Path, schema: Schema, first: Callable[[], bytes], *, durable: bool = True) -> None:
        self.path = path
        self.schema = schema
        self._durable = durable
        self._writer = threading.RLock()
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        try:
            self.is_new = not _made(path, first, durable=durable) and self._create_tables()
        except sqlite3.DatabaseError as error:
            self.close()
            message = f"{path} cannot be used as the emulator's data: {error}. Name another file, or remove it."
            raise DataFileError(message) from error

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Give a snapshot to read from."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield Rows(connection, self.schema)
            finally:
                connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Give the one write transaction: committed at the end, rolled back on any exception."""
        with self._writer, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Rows(connection, self.schema)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Close every idle connection; the next transaction opens one."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = _connected(self.path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
        return connection

    def _create_tables(self) -> bool:
        with self.writing() as rows:
            known = {row["name"] for row in rows.select("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in self.schema.tables.values():
                (_complete if table.name in known else _create)(rows.connection, table)
            for sql in _OWN_TABLES:
                rows.connection.execute(sql)
        return "_counter" not in known or not self._filled()

    def _filled(self) -> bool:
        with self.reading() as rows:
            return bool(rows.find("organization"))


_OWN_TABLES = (
    "CREATE TABLE IF NOT EXISTS _counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    f"INSERT OR IGNORE INTO _counter VALUES ('version', {FIRST_VERSION})",  # noqa: S608  # a constant
    "CREATE TABLE IF NOT EXISTS _late_contract (contract TEXT PRIMARY KEY, reads INTEGER, dropped TEXT)",
    "CREATE TABLE IF NOT EXISTS _seen_reference (ruleset TEXT, rule TEXT, target TEXT)",
    "CREATE TABLE IF NOT EXISTS _entra (applicationid TEXT PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS _roleprivilege (roleid TEXT, privilege TEXT, level TEXT, UNIQUE (roleid, privilege))",
    "CREATE TABLE IF NOT EXISTS _bot (tenant TEXT PRIMARY KEY, configuration TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS _bot_scenario (tenant TEXT, name TEXT, place INT, body TEXT, UNIQUE (tenant, name))",
)


def _connected(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.create_function("sort_key", 1, sort_key, deterministic=True)
    connection.create_function("sql_like", 3, like, deterministic=True)
    return connection


def _made(path: Path, first: Callable[[], bytes], *, durable: bool) -> bool:
    """Make a file that is not there yet; whether it was we who did."""
    if path.exists():
        return False
    fresh = path.with_name(f"{path.name}.{new_id()}")
    with fresh.open("wb") as file:
        file.write(first())
        if durable:
            file.flush()
            os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:  # another process was first: its rows are as good
        return False
    finally:
        fresh.unlink()
    return True


@contextmanager
def in_memory(schema: Schema) -> Iterator[Rows]:
    """Empty tables in no file; its connection's `serialize` makes one."""
    with contextlib.closing(_connected(":memory:")) as connection:
        for table in schema.tables.values():
            _create(connection, table)
        for sql in _OWN_TABLES:
            connection.execute(sql)
        yield Rows(connection, schema)


def _complete(connection: sqlite3.Connection, table: Table) -> None:
    """Give a table of an older file the columns it lacks."""
    known = {row["name"] for row in connection.execute(f"PRAGMA table_info({quoted(table.name)})")}
    for column in table.columns.values():
        if column.name not in known:
            added = f"{quoted(column.name)} {_sql_type(column)}"
            connection.execute(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {added}")


def _create(connection: sqlite3.Connection, table: Table) -> None:
    columns = [f"{quoted(table.primary_id)} TEXT PRIMARY KEY"]
    for column in table.columns.values():
        if column.name != table.primary_id:
            columns.append(f"{quoted(column.name)} {_sql_type(column)}")
        if column.is_polymorphic:
            columns.append(f"{quoted(column.target_column)} TEXT")
    connection.execute(f"CREATE TABLE {quoted(table.name)} ({', '.join(columns)}) WITHOUT ROWID")
    for column in table.columns.values():
        if column.is_lookup or (table.intersect and column.type == "Uniqueidentifier"):
            index = quoted(f"{table.name}.{column.name}")
            connection.execute(f"CREATE INDEX {index} ON {quoted(table.name)} ({quoted(column.name)})")


def _sql_type(column: Column) -> str:
    if column.type in TEXTS or column.is_lookup or column.type in {"Uniqueidentifier", "DateTime"}:
        return "TEXT"
    return "REAL" if column.type == "Double" else "INTEGER"
