"""Apply with a journal, roll back, and see every stored column past all clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from d365setup.apply import Settings
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator
from d365setup.journal import Runs
from d365setup.model import Plan
from d365setup.outcome import Run
from d365setup.rollback import Rollback
from d365setup.session import Session
from d365setup.undo import Undoing
from tests.engine.driver import KINDS, playbook

OWN = {"versionnumber", "modifiedon", "createdon", "overwritetime", "_modifiedby", "modifiedby"}
PLATFORM = {"msdyn_decisioncontract", "msdyn_rulesetdependencymapping", "teammembership"}  # kept by itself

Tables = dict[str, dict[str, dict[str, Any]]]


class Place:
    """An environment, and a state directory for its journals."""

    def __init__(self, emulator: Emulator, client: Client, folder: Path) -> None:
        self.emulator, self.client, self.runs = emulator, client, Runs(folder)

    def session(self, text: str) -> Session:
        return Session(self.client, KINDS, playbook(text), self.runs)

    def apply(self, text: str, **settings: Any) -> Run:
        session = self.session(text)
        live = session.look()
        session.settle(live)
        decision = session.decide(live)
        if not decision.plan.changes:
            return Run(decision.plan)
        return session.carry_out(decision, Settings(**{"sleep": lambda _: None, **settings}))

    def plan(self, text: str) -> Plan:
        session = self.session(text)
        return session.decide(session.look()).plan

    def rollback(self, run: str) -> Rollback:
        return Rollback(self.client, self.runs, self.runs.read(run))

    def take_back(self, run: str, **settings: Any) -> tuple[Undoing, Run]:
        rollback = self.rollback(run)
        undoing = rollback.decide()
        return undoing, rollback.carry_out(undoing, Settings(**settings), lambda _: None)


@contextmanager
def placed(emulator: Emulator, folder: Path) -> Iterator[Place]:
    with Client(emulator.url, StaticToken("anything"), sleep=lambda _: None) as client:
        yield Place(emulator, client, folder)


def tables(emulator: Emulator) -> Tables:
    """Every row of every table by its first column, without what changes with every write."""
    found: Tables = {}
    for (name,) in emulator.sql("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if name in PLATFORM or name.startswith(("sqlite_", "_")):
            continue
        columns = [row[1] for row in emulator.sql(f'PRAGMA table_info("{name}")')]
        rows = [dict(zip(columns, row, strict=True)) for row in emulator.sql(f'SELECT * FROM "{name}"')]  # noqa: S608
        links = len(columns) == 4  # its own id, which no reader sees, the two ends, the version
        keys = columns[1:3] if links else columns[:1]
        unseen = {*OWN, *(columns[:1] if links else ())}
        found[name] = {
            "/".join(str(row[key]) for key in keys): {k: _text(v) for k, v in row.items() if k not in unseen}
            for row in rows
        }
    return found


def _text(value: Any) -> Any:
    """Line ends alike: a service that hands out CRLF keeps CRLF when that is sent back."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def differences(before: Tables, after: Tables) -> dict[str, Any]:
    """What is other than it was: `table key column` -> before, after. Rows that are new but out of use do not count."""
    found: dict[str, Any] = {}
    for table, rows in after.items():
        old = before[table]
        for key in rows.keys() | old.keys():
            was, now = old.get(key), rows.get(key)
            if was is None and now is not None:
                if not (now.get("isdisabled") == 1 or now.get("statecode") == 1):
                    found[f"{table} {key}"] = (None, now)
            elif was is not None and now is None:
                found[f"{table} {key}"] = (was, None)
            elif was is not None and now is not None:
                found |= {f"{table} {key} {k}": (was[k], now[k]) for k in was if was[k] != now[k]}
    return found
