"""Documents of every sort that say one text wherever text from outside can stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from d365setup.audit import Audit, Finding, Subject, Unchecked, Waived, WaiverTrouble
from d365setup.audit.readiness import Link, Path, Readiness
from d365setup.center import ContactCenter, Queue, Unread, Workstream
from d365setup.comparing import Comparison, Difference, NotCompared, Side
from d365setup.doctor import Check, Diagnosis, Facts, SignIn
from d365setup.evidence.inspection import Inspected, Inspection
from d365setup.fleet.results import FleetRun, Result
from d365setup.healthbot.handwork import Checklist, Task
from d365setup.healthbot.pushing import Push, Pushed
from d365setup.journal import Recording
from d365setup.model import Action, Change, Environment, FieldChange, Note, Plan, ResourceId, Source
from d365setup.outcome import Failure, Outcome, Run, Status
from d365setup.proof import Proof, TestResult, Unmet
from d365setup.report import (
    Checked,
    Declared,
    Document,
    ErrorReport,
    Exported,
    History,
    Problem,
    Recorded,
    Simulated,
    Untouched,
    Validation,
    Verification,
)
from d365setup.routing import Candidate, Escalated, Journey, Leg, Reading, RuleResult, Simulation, Start
from tests.report.samples import Thing

AT = datetime(2026, 11, 22, 11, 22, 2, tzinfo=UTC)


def change(action: Action, said: str, source: Source, **more: str) -> Change:
    fields = (FieldChange("names", said, (said, 1)), FieldChange("when", None, {"x": [said]}))
    return Change(action, ResourceId("queue", said), Thing(name=said, source=source), fields, said, **more)


def environment(said: str) -> Environment:
    return Environment(said, "9872523f-806d-587c-a69d-383f68cf01ef", said)


def proof(said: str, source: Source) -> Proof:
    unmet = Unmet(said, source)
    return Proof(
        (
            TestResult(said, said, source, (unmet, unmet)),
            TestResult(said, said, source, undecided=(unmet,)),
            TestResult(said, said, source),
        ),
        "merged",
    )


def simulation(said: str) -> Simulation:
    rule = RuleResult("1", said, "matched", said, said, said, "2")
    person = Candidate(said, "3", is_bot=False, eligible=True, why=said, units=7)
    legs = (
        Leg(Start({"x": said}), {"x": said}, (rule,), "rule", said, said, "2", (person,), "bot", said, notes=(said,)),
        Leg(Escalated({"x": 1}, said), {"x": said}, (rule,), "nothing", waits=True, notes=(said,)),
    )
    return Simulation(said, AT, Journey(Reading.STRICT, legs), Journey(Reading.LOOSE, legs), (said,), (said,))


def audit(said: str, source: Source) -> Audit:
    center = ContactCenter(
        (Workstream("1", said),),
        (Queue("2", said),),
        origin="live",
        taken_at=said,
        url=said,
        organization_id=said,
        organization=said,
        unread=(Unread(said, said, said),),
    )
    subject = Subject("queue", said, said, said, source)
    found = Finding("R12", "error", subject, said, ((said, said),), said, said, said)
    waived = replace(found, waived=Waived(said, said, said))
    mild = (replace(found, level="warning"), replace(found, id="R99", level="info"))
    troubles = (WaiverTrouble("error", said, source), WaiverTrouble("warning", said))
    return Audit(
        center, (found, *mild, waived), (Unchecked("R07", said, subject),), ("R01",), troubles, said, "ab" * 32
    )


def readiness(said: str) -> Readiness:
    ok, broken = Link("bot", said), Link("queue", said, "broken", said, ("R12",))
    return Readiness(
        (Path(said, said, said, (ok, broken)), Path(said, said, said, (Link("rule", said, "unknown", said),)))
    )


def comparison(said: str) -> Comparison:
    side = Side(said, said, said, said, is_snapshot=True)
    fields = (FieldChange(said, (said, said), None), FieldChange(said, "", True))
    found = tuple(Difference(ResourceId("queue", said), where, fields) for where in ("first", "second", "both"))
    return Comparison(side, side, found, 1, (NotCompared(said, "both", said),))


def exported(said: str) -> Exported:
    own = ResourceId("queue", said)
    states = ("left out", "referred to", "in part")
    return Exported(
        environment(said),
        said,
        said,
        "ab" * 32,
        "written",
        said,
        part={"queue": (said,)},
        things=(Declared(own, only_refers=True),),
        untouched=tuple(Untouched(own, state, said) for state in states),
        unread=(said,),
        variables={"variable": said},
        not_declared=(own, ResourceId("bot_user", said)),
    )


def by_hand(said: str) -> Checklist:
    task = Task(said, said, said, (said, said), ((said, said),), said, said)
    return Checklist(said, "ab" * 32, said, said, said, (task, replace(task, values=(), check="")))


def fleet(said: str) -> FleetRun:
    bad = Result(said, said, "failed", 1, said, said, ((f"queue:{said}", "failed"), (said, "missing")), 1.5, wave=said)
    mild = replace(bad, state="drift", exit_code=3, cells=((f"queue:{said}", "changed"), (said, "waived")))
    ends = (bad, mild, replace(bad, state="verified", exit_code=0, cells=()), replace(bad, state="frozen", cells=()))
    return FleetRun("apply", said, ends, ((f"queue:{said}",),) * len(ends), said, said)


def documents(said: str) -> dict[str, Document]:
    """One of each, by name; whatever a playbook, a service, a waiver or a journal can put in says ``said``."""
    source = Source(said, 3, 5)
    note = Note("warning", ResourceId("queue", said), said, source)
    changes = (
        change(Action.CREATE, said, source),
        change(Action.UPDATE, said, source),
        change(Action.DELETE, said, source),
        change(Action.UPDATE, said, source, manual=said),
    )
    plan = Plan(
        environment(said), said, "ab" * 32, changes, 7, (note,), proof=proof(said, source), checklist=by_hand(said)
    )
    failure = Failure(said, said, 403, said, hint=said)
    statuses = (Status.VERIFIED, Status.FAILED, Status.NOT_VERIFIED, Status.MANUAL)
    outcomes = tuple(Outcome(c, s, said, failure) for c, s in zip(changes, statuses, strict=True))
    problem = Problem(said, said, source)
    ended = {str(changes[0].id): ("verified", said)}
    recording = Recording(said, "apply", said, environment(said), said, "ab" * 32, changes, outcomes=ended)
    recorded = Recorded(recording, "open")
    facts = Facts(said, SignIn(said, said, said, ((said, said),)), organization=said, version=said)
    return {
        "plan": plan,
        "run": Run(plan, outcomes, (note,), id=said, undoes=""),
        "rollback": Run(plan, outcomes, id=said, undoes=said, command="rollback"),
        "verification": Verification(plan, readiness(said), audit(said, source)),
        "validation": Validation((Checked(said, said, {"queue": 1}, proof(said, source)),), (problem,)),
        "simulation": Simulated(simulation(said), audit(said, source).center, said, proof=proof(said, source)),
        "audit": audit(said, source),
        "doctor": Diagnosis(facts, (Check("environment", "error", said, said), Check("Omnichannel", "ok", said))),
        "error": ErrorReport(said, 1, (problem,), said, said, 403, said),
        "refusal": ErrorReport(said, 4, (problem,), said, proof=proof(said, source)),
        "history": History(said, (recorded,), (said,)),
        "recorded": recorded,
        "push": Push(
            said, (Pushed(said, said, "not verified", (FieldChange(said, said, said),), said),), said, sent=True
        ),
        "checklist": by_hand(said),
        "comparison": comparison(said),
        "export": exported(said),
        "fleet": fleet(said),
        "evidence": Inspection((Inspected(said, "altered", "wrong", None, (said,), (said,)),)),
    }


NAMES = tuple(documents("x"))
