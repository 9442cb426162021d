"""An emulator that is put back between runs, its rows past the client, and the command's apply without a command."""

from __future__ import annotations

import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from d365setup.apply import Settings
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Limits, Options, Request
from d365setup.journal import Recording, Runs
from d365setup.kinds import discover, specs
from d365setup.model import Change
from d365setup.outcome import Run
from d365setup.playbook import Playbook, load_file
from d365setup.session import Session
from tests.test_shipped import FOLDER

KINDS = discover()
OWN_TABLES = ("_counter", "_late_contract", "_seen_reference", "_entra", "_roleprivilege")
BOOKKEEPING = {"versionnumber", "createdon", "modifiedon", "overriddencreatedon"}
CHOSEN = "msdyn_rulesetdependencymapping"  # its rows, like those of links, get ids that the platform throws dice for

ARRIVING = 0.001  # seconds that nobody waits: what the emulator says as a request comes in
UNLIMITED = Limits(requests=10**9, execution=1e9)  # they go by the clock that is moved; other tests have them

VALUES = {  # of the variables of the shipped playbooks, as their examples say, for processes
    "BOT_APPLICATION_ID": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
    "HEALTH_BOT_ID": "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
    "TRIAGE_BOT_APPLICATION_ID": "1d6f0c84-52ab-4c0e-8a55-6c2f9e7b3d10",
    "TRIAGE_BOT_ID": "7ac21b9e-3f44-4d0a-b1c8-2e5d6f708192",
    "DESK_BOT_APPLICATION_ID": "3b8e5d27-9c61-4f3a-a7d2-0f1e2d3c4b5a",
    "DESK_BOT_ID": "c4d5e6f7-1a2b-4c3d-9e8f-a0b1c2d3e4f5",
    "NORTH_BOT_APPLICATION_ID": "0e7a4c12-6b5d-4e9f-8c31-5a4b3c2d1e0f",
    "NORTH_BOT_ID": "2f9d8e71-0c3b-4a6d-b5e4-918273645a0b",
    "SOUTH_BOT_APPLICATION_ID": "4c1b0a9f-8e7d-4d6c-a5b4-3c2d1e0f9a8b",
    "SOUTH_BOT_ID": "6d5c4b3a-2f1e-4b0d-9c8b-7a6f5e4d3c2b",
    "D365_ACCESS_TOKEN": "made-up-token",
}

Fragment = tuple[Any, ...]
Rows = Mapping[str, tuple[Fragment, ...]]


@cache
def shipped(name: str) -> Playbook:
    return load_file(FOLDER / name, specs(KINDS), {}, {}, examples=True)


class Clock:
    """Seconds that pass when somebody sleeps, and as they do anyway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slept = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept += seconds


class Ground:
    """One emulator over HTTP, with the fixture `clinic`. `put_back` makes everything as it was at the start.

    That is done in the data file: a copy of it costs a tenth of what making the fixture anew does, and row ids,
    versions and times are the same for every run.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.on_sleep = self.clock.sleep  # called as each request comes in (with ARRIVING), and for what is slow
        options = Options(limits=UNLIMITED, rtt=ARRIVING)
        self.emulator = Emulator(None, options, sleep=self._sleep, clock=self.clock).start()
        file = self.emulator.sql("PRAGMA database_list")[0][2]
        self._data = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
        copy = folder / "before.db"
        with closing(sqlite3.connect(copy)) as other:
            self._data.backup(other)
        self._data.execute("ATTACH ? AS before", [str(copy)])
        self._data.execute("PRAGMA synchronous = OFF")
        self._tables = {name: self._columns(name) for name in (*self.emulator.schema.tables, *OWN_TABLES)}
        self._filled = {name for name in self._tables if self._data.execute(f'SELECT 1 FROM "{name}"').fetchone()}  # noqa: S608  # names from the schema
        self.first_version = int(self._data.execute("SELECT value FROM _counter").fetchone()[0])

    def _sleep(self, seconds: float) -> None:
        self.on_sleep(seconds)

    def close(self) -> None:
        self._data.close()
        self.emulator.close()

    def drain(self) -> None:
        """Wait until whatever is on the wire is done, of processes that are dead as well.

        Connections are taken in the order they come: when ours has its end, none is waiting before it.
        """
        server = self.emulator._server
        assert server is not None
        with socket.create_connection(server.server_address[:2], timeout=60) as last:
            last.shutdown(socket.SHUT_WR)
            assert last.recv(1) == b""
        patient(lambda: not server._open)

    def put_back(self) -> None:
        """Rows, faults, limits, log and what is held for stale reads."""
        self.on_sleep = self.clock.sleep
        self.emulator.faults.clear()
        self.emulator.gateway.snapshots.release()
        self.emulator.protection.reset()
        self.emulator.reset_log()
        self._data.execute("BEGIN IMMEDIATE")
        for name in self._tables:
            self._data.execute(f'DELETE FROM main."{name}"')  # noqa: S608  # names from the schema
            if name in self._filled:
                self._data.execute(f'INSERT INTO main."{name}" SELECT * FROM before."{name}"')  # noqa: S608  # as above
        self._data.execute("COMMIT")

    def _columns(self, table: str) -> tuple[str, ...]:
        """Those that say something: no version, no time, no id that the platform throws dice for."""
        described = self.emulator.schema.tables.get(table)
        left_out = set(BOOKKEEPING)
        if described is not None and (described.intersect or table == CHOSEN):
            left_out |= {described.primary_id, "msdyn_uniquename"}
        found = self._data.execute(f'PRAGMA table_info("{table}")').fetchall()
        return tuple(name for _, name, *_ in found if name not in left_out)

    def rows(self) -> Rows:
        """Every table's rows as they are in the data file, in one order."""
        return {
            table: tuple(sorted(self._data.execute(_selected(table, columns)), key=repr))
            for table, columns in self._tables.items()
            if table != "_counter"
        }

    def touched(self) -> frozenset[tuple[str, Fragment]]:
        """The rows written since the start, whatever with: each by its table and what tells it from others."""
        found = set()
        for table, columns in self._tables.items():
            described = self.emulator.schema.tables.get(table)
            if described is not None:
                told = (described.primary_id,) if described.primary_id in columns else columns
                where = f" WHERE versionnumber > {self.first_version}"
                found |= {(table, row) for row in self._data.execute(_selected(table, told) + where)}
        return frozenset(found)

    def traces(self, changes: tuple[Change, ...]) -> dict[str, tuple[Fragment, ...]]:
        """What of the rows each change is about; nothing where there are none."""
        return {str(each.id): tuple(self._traces(each.id.kind, *each.id.key.split("/"))) for each in changes}

    def _traces(self, kind: str, name: str, other: str = "") -> Iterator[Fragment]:
        if kind == "routing_rule":
            yield from self._rule(name, other)
            return
        query = _WHERE[kind].format(user="systemuserid, fullname, internalemailaddress")
        table = query.partition(" ")[0]
        columns = ", ".join(f't."{each}"' for each in self._tables[table])
        sql = f"SELECT {columns} FROM {query}"  # noqa: S608  # as above
        yield from sorted(self._data.execute(sql, {"name": name, "other": other}), key=repr)

    def _rule(self, stream: str, rule: str) -> Iterator[Fragment]:
        """The rule as it stands in a text that an active step leads to."""
        for (text,) in self._data.execute(_TEXTS, {"name": stream}):
            yield from (
                (each,) for each in re.findall(r"<rule [^>]*>.*?</rule>", text, re.DOTALL) if _named(each, rule)
            )


_WHERE = {
    "bot_user": "systemuser t WHERE t.fullname = :name",
    "queue": "queue t WHERE t.name = :name",
    "workstream": "msdyn_liveworkstream t WHERE t.msdyn_name = :name",
    "context_variable": (
        "msdyn_ocliveworkstreamcontextvariable t JOIN msdyn_liveworkstream w USING (msdyn_liveworkstreamid) "
        "WHERE w.msdyn_name = :name AND t.msdyn_name = :other"
    ),
    "role_assignment": (
        "systemuserroles t JOIN systemuser u USING (systemuserid) JOIN role r USING (roleid) "
        "WHERE u.fullname = :name AND r.name = :other"
    ),
    "queue_member": (
        "queuemembership t JOIN queue q USING (queueid) JOIN systemuser u USING (systemuserid) "
        "WHERE q.name = :name AND :other IN (u.fullname, u.internalemailaddress)"
    ),
}
_TEXTS = (
    "SELECT s.msdyn_rulesetdefinition FROM msdyn_decisionruleset s "
    "JOIN msdyn_routingconfigurationstep p ON p.msdyn_rulesetid = s.msdyn_decisionrulesetid "
    "JOIN msdyn_routingconfiguration c USING (msdyn_routingconfigurationid) "
    "JOIN msdyn_liveworkstream w USING (msdyn_liveworkstreamid) "
    "WHERE w.msdyn_name = :name AND c.msdyn_isactiveconfiguration = 1 AND p.msdyn_type = 192350002"
)


def _selected(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{each}"' for each in columns)
    return f'SELECT {names} FROM main."{table}"'  # noqa: S608  # names from the schema


def _named(rule: str, name: str) -> bool:
    return f'name="{name}"' in rule.partition(">")[0]


@dataclass(frozen=True)
class Applied:
    """An apply that came to its end: its run, and what its journal says."""

    run: Run
    recording: Recording | None
    requests: tuple[Request, ...]


def applied(
    ground: Ground, name: str, runs: Runs, client: Client | None = None, told: list[str] | None = None
) -> Applied:
    """Look, decide, settle, carry out: what the command does. Raises DataverseError from the look.

    Nothing waits: who sleeps moves the clock that all go by. What is told of runs that were left open is put into
    ``told``; without it there must be none.
    """
    ground.emulator.reset_log()
    own = client or new_client(ground)
    try:
        session = Session(own, KINDS, shipped(name), runs)
        live = session.look()
        decision = session.decide(live)
        notes = [each.message for each in session.settle(live)]
        assert told is not None or notes == []
        (told if told is not None else []).extend(notes)
        if not decision.plan.changes:
            return Applied(Run(decision.plan), None, tuple(ground.emulator.requests))
        settings = Settings(sleep=ground.clock.sleep, contract_wait=5, jitter=lambda: 0.5)
        run = session.carry_out(decision, settings)
    finally:
        if client is None:
            own.close()
    return Applied(run, runs.read(run.id), tuple(ground.emulator.requests))


def new_client(ground: Ground, url: str = "") -> Client:
    return Client(url or ground.emulator.url, StaticToken("any"), sleep=ground.clock.sleep, clock=ground.clock)


def patient(until: Callable[[], bool], pause: float = 0.01) -> None:
    """Wait for another thread or process. A minute is for ever."""
    for _ in range(int(60 / pause)):
        if until():
            return
        time.sleep(pause)
    pytest.fail("nobody came")
