"""Exporting an emulated environment as a user would, and its rows by their names, read raw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from d365setup.cli import main
from d365setup.conditions import normal
from d365setup.emulator import Emulator, Options
from d365setup.kinds import specs
from d365setup.plan import Decision
from d365setup.playbook import Playbook, load
from d365setup.ruleset import read
from tests.engine.driver import KINDS

TOKEN = "made-up-token"
_VALUE = re.compile(r"^  ([A-Z0-9_]+)=(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Exported:
    """How a call of `export` ended."""

    code: int
    out: str
    err: str

    @property
    def variables(self) -> dict[str, str]:
        """What the call says the variables are here."""
        return {name.lower(): value for name, value in _VALUE.findall(self.err)}

    @property
    def named(self) -> dict[str, str]:
        """The same, where the playbook went into a file."""
        return {name.lower(): value for name, value in _VALUE.findall(self.out)}

    @property
    def playbook(self) -> Playbook:
        """The playbook it printed."""
        return load(self.out, specs(KINDS), self.variables)

    @property
    def filled(self) -> str:
        """Its text with the variables' values in their places."""
        text = self.out
        for name, value in self.variables.items():
            text = text.replace(f"'${{{name}}}'", value)
        return text


def export(emulator: Emulator, *args: str) -> Exported:
    """`d365setup export` against an emulator that is served."""
    call = ["export", "--url", emulator.url, *args]
    ended = CliRunner().invoke(main, call, prog_name="d365setup", env={"D365_ACCESS_TOKEN": TOKEN})
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return Exported(ended.exit_code, ended.stdout, ended.stderr)


@contextmanager
def bare() -> Iterator[Emulator]:
    """An environment with the clinic's work stream and people, and no queue but those Omnichannel comes with."""
    emulator = Emulator(None, Options())
    emulator.execute("DELETE FROM queuemembership")
    emulator.execute("DELETE FROM queue WHERE name IN ('Nurses', 'Billing')")
    with closing(emulator), emulator.serve():
        yield emulator


def rows(emulator: Emulator) -> dict[str, Any]:
    """Everything an export can carry, by names instead of ids; a column left empty is what a new row gets in it."""
    return {
        "queues": _all(
            emulator,
            "SELECT name, coalesce(description, ''), coalesce(msdyn_queuetype, 192350000), msdyn_priority, "
            "coalesce(msdyn_assignmentstrategy, 192350000) FROM queue",
        ),
        "members": _all(
            emulator,
            "SELECT q.name, u.internalemailaddress FROM queuemembership m JOIN queue q ON q.queueid = m.queueid "
            "JOIN systemuser u ON u.systemuserid = m.systemuserid WHERE u.isdisabled = 0",
        ),
        "bots": _all(
            emulator,
            "SELECT fullname, applicationid, msdyn_botapplicationid, internalemailaddress, msdyn_capacity, isdisabled, "
            "msdyn_agentType, msdyn_botprovider, accessmode FROM systemuser WHERE msdyn_botapplicationid IS NOT NULL",
        ),
        "roles": _all(
            emulator,
            "SELECT u.fullname, r.name FROM systemuserroles l JOIN systemuser u ON u.systemuserid = l.systemuserid "
            "JOIN role r ON r.roleid = l.roleid WHERE u.msdyn_botapplicationid IS NOT NULL",
        ),
        "variables": _all(
            emulator,
            "SELECT msdyn_name, coalesce(msdyn_displayname, msdyn_name), msdyn_datatype "
            "FROM msdyn_ocliveworkstreamcontextvariable",
        ),
        "fallback": _all(
            emulator,
            "SELECT w.msdyn_name, q.name FROM msdyn_liveworkstream w JOIN queue q ON q.queueid = w.msdyn_defaultqueue",
        ),
        "rules": _rules(emulator),
    }


def _all(emulator: Emulator, sql: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(_line_ends(cell) for cell in row) for row in emulator.sql(sql)), key=repr)


def _line_ends(cell: Any) -> Any:
    return cell.replace("\r\n", "\n") if isinstance(cell, str) else cell


def _rules(emulator: Emulator) -> list[tuple[str, str, str]]:
    names = {row_id.lower(): name for row_id, name in emulator.sql("SELECT queueid, name FROM queue")}
    texts = [text for (text,) in emulator.sql("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset") if text]
    found = [rule for text in texts for rule in read(text).rules]
    return [(rule.name, repr(normal(rule.condition)), names.get(rule.queue or "", "")) for rule in found]


def creates(decision: Decision) -> list[str]:
    """What a plan would make."""
    return [str(each.id) for each in decision.plan.changes if each.action.value == "create"]
