"""One document of each sort, with everything in it that can be in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from d365setup.model import Action, Change, Cost, Environment, FieldChange, Note, Place, Plan, ResourceId, Source, Spec
from d365setup.outcome import Failure, Outcome, Run, Status, Traffic
from d365setup.report import Checked, Document, ErrorReport, Problem, Validation, Verification
from tests.report.audits import AUDITS

FILE = "playbooks/bot.yaml"


@dataclass(frozen=True, kw_only=True)
class Thing(Spec):
    kind: ClassVar[str] = "queue"
    place: ClassVar[Place] = Place("queues")


def change(action: Action, kind: str, key: str, *fields: tuple[str, object, object], line: int, **more: str) -> Change:
    spec = Thing(name=key, source=Source(FILE, line, 5))
    return Change(action, ResourceId(kind, key), spec, tuple(FieldChange(*field) for field in fields), **more)


BOT = change(
    Action.CREATE,
    "bot_user",
    "Contoso Health Bot",
    ("email", None, "health-bot@contoso.example"),
    ("capacity", None, 101),
    line=12,
    reason="must beat Nora Quist (100) in Nurses",
)
QUEUE = change(Action.UPDATE, "queue", "Nurses", ("type", "record", "messaging"), ("description", None, ""), line=23)
GONE = change(
    Action.DELETE,
    "queue_member",
    "Nurses/nora.quist@contoso.example",
    ("member", "nora.quist@contoso.example", None),
    line=25,
    reason="Nurses lists its members exactly, and this one is not among them",
)
MANUAL = change(
    Action.UPDATE,
    "routing_rule",
    "Patient chat/Urgent",
    ("enabled", False, True),
    line=40,
    manual="enable the rule 'Urgent' in the admin centre",
)
ODD = change(Action.CREATE, "queue", "Evil\x1b[2J\u202equeue\n", ("names", None, ("a", "b")), line=50)

WARNING = Note("warning", ResourceId("queue", "Nurses"), "hands out work by 'least active'", Source(FILE, 23, 5))
ENVIRONMENT = Environment("https://contoso.crm.dynamics.com", "9872523f-806d-587c-a69d-383f68cf01ef", "Contoso Health")
PLAN = Plan(
    ENVIRONMENT, "contoso-health-bot", "ab" * 32, (BOT, QUEUE, ODD, GONE, MANUAL), 7, (WARNING,), Cost(3, 6, 34)
)
IN_LINE = Plan(ENVIRONMENT, "contoso-health-bot", "ab" * 32, (), 1)

REFUSED = Failure(
    "Principal lacks prvWriteQueue", "0x80040220", 403, "0a1b2c3d", 6, "give the user a security role that holds it"
)
RUN = Run(
    PLAN,
    (
        Outcome(BOT, Status.VERIFIED),
        Outcome(QUEUE, Status.FAILED, "Principal lacks prvWriteQueue (HTTP 403, 0x80040220)", REFUSED),
        Outcome(ODD, Status.NOT_WRITTEN, "rolled back with its change set: queue:Nurses failed"),
        Outcome(GONE, Status.NOT_VERIFIED, "written, but read back as member 'nora.quist@contoso.example'"),
        Outcome(MANUAL, Status.MANUAL, "enable the rule 'Urgent' in the admin centre"),
    ),
    (WARNING, Note("warning", BOT.id, "the platform noted no dependency mapping")),
    Traffic(6, 34, 1, 2.5),
)
DOCUMENTS: dict[str, Document] = {
    "plan": PLAN,
    "plan-in-line": IN_LINE,
    "run": RUN,
    "run-manual": Run(replace(PLAN, changes=(MANUAL,)), (Outcome(MANUAL, Status.MANUAL, MANUAL.manual),)),
    "run-rolled-back": Run(replace(PLAN, changes=(QUEUE,)), (Outcome(QUEUE, Status.FAILED, "refused", REFUSED),)),
    "run-nothing": Run(IN_LINE, traffic=Traffic(4, 15)),
    "verification": Verification(PLAN),
    "verification-in-line": Verification(IN_LINE),
    "validation": Validation(
        (Checked(FILE, "contoso-health-bot", {"bot_user": 1, "queue": 2, "routing_rule": 0}),),
        (Problem("'qeueu' is no key here; did you mean 'queue'?", source=Source("other.yaml", 3, 7)),),
    ),
    "error": ErrorReport(
        "no connection to https://contoso.crm.dynamics.com could be made",
        6,
        (Problem("no user has the address nora.quist@contoso.example", "queue_member:Nurses/x", Source(FILE, 25, 9)),),
        "check the address, the network and the proxy settings",
        "0x80072560",
        403,
        "0a1b2c3d",
    ),
}
DOCUMENTS |= AUDITS
PEOPLE = [("Nora Quist", "nora.quist@contoso.example")]
