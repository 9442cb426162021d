"""Prune and destroy over HTTP against the emulator, with the links handed in that a journal would tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from d365setup.apply import Settings, apply_plan
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator
from d365setup.model import Change, Note
from d365setup.outcome import Outcome, Status
from d365setup.plan import Decision
from d365setup.scope import Prune
from d365setup.session import Session
from tests.engine.driver import APPLICATION, HEAD, KINDS, Applied, applied, playbook

OTHER_APPLICATION = "0d4c1c5a-66c1-4a39-8a52-4b1f2a3c4d5e"
OTHER_BOT_ID = "3e7b8a90-1f2d-4c3b-a5d6-7e8f90a1b2c3"
WARD = (
    HEAD
    + """\
queues:
  - name: Health bot
    members: [Contoso Health Bot]
  - name: Ward
    members: [nurse.one@contoso.example, nurse.two@contoso.example]
workstreams:
  - name: Patient chat
    context_variables:
      - {name: Topic, type: text}
      - {name: Severity, type: number}
    routing_rules:
      - {name: To the ward, when: {Topic: Ward}, queue: Ward}
      - {name: Urgent, when: {variable: Severity, operator: at least, value: 7}, queue: Ward}
      - {name: Everyone meets the bot first, queue: Health bot}
"""
)
ALL = {
    "bot_user:Contoso Health Bot",
    "role_assignment:Contoso Health Bot/Omnichannel agent",
    "queue:Health bot",
    "queue:Ward",
    "queue_member:Health bot/Contoso Health Bot",
    "queue_member:Ward/nurse.one@contoso.example",
    "queue_member:Ward/nurse.two@contoso.example",
    "context_variable:Patient chat/Topic",
    "context_variable:Patient chat/Severity",
    "routing_rule:Patient chat/To the ward",
    "routing_rule:Patient chat/Urgent",
    "routing_rule:Patient chat/Everyone meets the bot first",
}
"""What `WARD` makes in the clinic."""


def links_made(done: Applied) -> frozenset[str]:
    """The links an apply made, as a journal names them."""
    links = (write for write in done.decision.writes if write.method == "POST" and write.body)
    return frozenset(f"{link.path.removesuffix('/$ref')}({_other(link.body)})/$ref" for link in links)


def _other(body: Any) -> str:
    return str(body["@odata.id"]).partition("(")[2].rstrip(")")


def made(emulator: Emulator, text: str = WARD) -> frozenset[str]:
    """Apply, and tell which links that made."""
    done = applied(emulator, text)
    assert set(done.statuses.values()) <= {Status.VERIFIED}, done.outcomes
    return links_made(done)


def session(client: Client, text: str, links: Iterable[str] = (), *, everything: bool = False) -> Session:
    return Session(client, KINDS, playbook(text), prune=Prune(frozenset(links), everything=everything))


def decided(emulator: Emulator, text: str, links: Iterable[str] = (), **what: Any) -> Decision:
    with Client(emulator.url, StaticToken("anything"), read_only=True) as client:
        looking = session(client, text, links, **what)
        return looking.decide(looking.look())


def going(emulator: Emulator, text: str, links: Iterable[str] = (), **what: Any) -> dict[str, Change]:
    return {str(change.id): change for change in decided(emulator, text, links, **what).plan.changes}


def warned(decision: Decision) -> dict[str, str]:
    return {str(note.id): note.message for note in decision.plan.warnings}


def pruned(
    emulator: Emulator, text: str, links: Iterable[str] = (), *, everything: bool = False, **settings: Any
) -> Applied:
    """Read, decide and carry out with one client."""
    slept: list[float] = []
    emulator.reset_log()
    with Client(emulator.url, StaticToken("anything"), sleep=slept.append) as client:
        working = session(client, text, links, everything=everything)
        decision = working.decide(working.look())
        told = list(apply_plan(decision, client, KINDS, Settings(**{"sleep": slept.append, **settings})))
    outcomes = tuple(each for each in told if isinstance(each, Outcome))
    notes = tuple(each for each in told if isinstance(each, Note))
    return Applied(decision, outcomes, notes, tuple(emulator.requests), tuple(slept))


def destroyed(emulator: Emulator, text: str = WARD, links: Iterable[str] = ()) -> Applied:
    done = pruned(emulator, text, links, everything=True)
    assert set(done.statuses.values()) <= {Status.VERIFIED}, done.outcomes
    return done


def without(text: str, *lines: str) -> str:
    """The playbook without these lines."""
    for line in lines:
        assert f"{line}\n" in text
        text = text.replace(f"{line}\n", "")
    return text


def queue_id(emulator: Emulator, name: str) -> str:
    return str(emulator.sql("SELECT queueid FROM queue WHERE name = ?", [name])[0][0])


def bot_id(emulator: Emulator) -> str:
    return str(emulator.sql("SELECT systemuserid FROM systemuser WHERE applicationid = ?", [APPLICATION])[0][0])


def stream_id(emulator: Emulator) -> str:
    sql = "SELECT msdyn_liveworkstreamid FROM msdyn_liveworkstream WHERE msdyn_name = 'Patient chat'"
    return str(emulator.sql(sql)[0][0])


def members(emulator: Emulator, queue: str) -> list[str]:
    sql = (
        "SELECT u.fullname FROM queuemembership m JOIN systemuser u ON u.systemuserid = m.systemuserid "
        "JOIN queue q ON q.queueid = m.queueid WHERE q.name = ? ORDER BY 1"
    )
    return [row[0] for row in emulator.sql(sql, [queue])]


def text_of(emulator: Emulator) -> str:
    return str(emulator.sql("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset")[0][0])
