"""The rows of a job as literal columns, ids told by name: what there is, and what there must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from benchmarks import wanted
from benchmarks.jobs import Job

Select = Callable[..., list[tuple[Any, ...]]]
Rows = dict[str, list[list[Any]]]

BOT = [
    "applicationid",
    "lastname",
    "internalemailaddress",
    "accessmode",
    "msdyn_agentType",
    "msdyn_botapplicationid",
    "msdyn_botprovider",
    "msdyn_capacity",
    "fullname",
    "isdisabled",
]
QUEUE = [
    "name",
    "description",
    "queueviewtype",
    "msdyn_isomnichannelqueue",
    "msdyn_queuetype",
    "msdyn_priority",
    "msdyn_assignmentstrategy",
]
VARIABLE = [
    "msdyn_name",
    "msdyn_displayname",
    "msdyn_datatype",
    "msdyn_isdisplayable",
    "msdyn_ismodifiable",
    "msdyn_islist",
    "msdyn_issystemdefined",
]

# Constants and column names of this file only.
_SQL = {
    "bots": f"""SELECT {", ".join(f"u.{name}" for name in BOT)}, b.parentbusinessunitid IS NULL
                FROM systemuser u JOIN businessunit b USING (businessunitid)
                WHERE u.msdyn_botapplicationid IS NOT NULL""",  # noqa: S608
    "roles": """SELECT u.lastname, r.name FROM systemuserroles l JOIN systemuser u USING (systemuserid)
                JOIN role r USING (roleid) WHERE u.msdyn_botapplicationid IS NOT NULL""",
    "queues": f"SELECT {', '.join(QUEUE)} FROM queue",  # noqa: S608
    "members": """SELECT q.name, u.internalemailaddress FROM queuemembership l JOIN queue q USING (queueid)
                  JOIN systemuser u USING (systemuserid)""",
    "streams": """SELECT s.msdyn_name, q.name FROM msdyn_liveworkstream s
                  LEFT JOIN queue q ON q.queueid = s.msdyn_defaultqueue""",
    "variables": f"""SELECT s.msdyn_name, {", ".join(f"v.{name}" for name in VARIABLE)}
                     FROM msdyn_ocliveworkstreamcontextvariable v
                     JOIN msdyn_liveworkstream s USING (msdyn_liveworkstreamid)""",  # noqa: S608
    "routes": """SELECT s.msdyn_name, c.msdyn_name, c.msdyn_isactiveconfiguration, t.msdyn_name, t.msdyn_type,
                        t.msdyn_steporder, r.msdyn_name, r.msdyn_rulesettype, r.msdyn_authoringmode,
                        r.msdyn_inputcontractid = s.msdyn_routingcontractid, o.msdyn_uniquename
                 FROM msdyn_routingconfiguration c JOIN msdyn_liveworkstream s USING (msdyn_liveworkstreamid)
                 JOIN msdyn_routingconfigurationstep t USING (msdyn_routingconfigurationid)
                 JOIN msdyn_decisionruleset r ON r.msdyn_decisionrulesetid = t.msdyn_rulesetid
                 JOIN msdyn_decisioncontract o ON o.msdyn_decisioncontractid = r.msdyn_outputcontractid""",
    "rules": """SELECT s.msdyn_name, r.msdyn_rulesetdefinition FROM msdyn_decisionruleset r
                JOIN msdyn_liveworkstream s ON s.msdyn_routingcontractid = r.msdyn_inputcontractid""",
    "contracts": """SELECT s.msdyn_name, c.msdyn_contractdefinition FROM msdyn_liveworkstream s
                    JOIN msdyn_decisioncontract c ON c.msdyn_decisioncontractid = s.msdyn_routingcontractid""",
}


def found(select: Select, job: Job) -> Rows:
    """What there is of the job's queues, work streams and bots."""
    rows: Rows = {name: [list(row) for row in select(sql)] for name, sql in _SQL.items()}
    queues = dict(select("SELECT queueid, name FROM queue"))
    own = {queue.name for queue in job.queues}
    streams = {stream.name for stream in job.streams}
    for name in ("queues", "members"):
        rows[name] = [row for row in rows[name] if row[0] in own]
    for name in ("streams", "variables", "routes", "rules", "contracts"):
        rows[name] = [row for row in rows[name] if row[0] in streams]
    rows["rules"] = [[stream, *rule] for stream, text in rows["rules"] for rule in _rules(text, queues)]
    rows["contracts"] = [[stream, *each] for stream, text in rows["contracts"] for each in _variables(text)]
    return _ordered(rows)


def wants(job: Job, before: Rows) -> Rows:
    """What there must be after the job, made from the job alone; `before` tells which members were there."""
    emails = {bot.name: bot.email for bot in job.bots}
    queues = {queue.name: queue.name for queue in job.queues}
    rule_set = (192350000, 192350000, 1, wanted.OUTPUT_CONTRACT)  # declarative, a list, the stream's own contract
    members = [[queue.name, emails.get(each, each)] for queue in job.queues for each in queue.members]
    rows: Rows = {
        "bots": [[*wanted.bot(bot).values(), bot.name, 0, 1] for bot in job.bots],
        "roles": [[bot.name, bot.role] for bot in job.bots],
        "queues": [[wanted.queue(each).get(name) for name in QUEUE] for each in job.queues],
        "members": members + [row for row in before["members"] if row not in members],
        "streams": [[stream.name, stream.fallback] for stream in job.streams],
        "variables": [[s.name, *wanted.variable(*each).values()] for s in job.streams for each in s.variables],
        "routes": [
            [s.name, f"RC {s.name}", 1, "Route to queue", 192350002, 1, f"{s.name} route to queue", *rule_set]
            for s in job.streams
        ],
        "rules": [[s.name, *rule] for s in job.streams for rule in _rules(wanted.rules_text(s, queues), {})],
        "contracts": [
            [s.name, name, {"text": "string"}.get(kind, kind)] for s in job.streams for name, kind in s.variables
        ],
    }
    return _ordered(rows)


def differences(there: Rows, must: Rows) -> list[str]:
    """What is missing and what is too much, one line each."""
    told = []
    for kind, rows in must.items():
        have = there[kind]
        told += [f"{kind}: missing {row}" for row in rows if row not in have]
        told += [f"{kind}: not wanted {row}" for row in have if row not in rows]
        told += [f"{kind}: {len(have)} rows instead of {len(rows)}"] if len(have) != len(rows) else []
    return told


def _ordered(rows: Rows) -> Rows:
    """Sorted, and true told as 1; the order of rules counts and is in the rows."""
    plain = {
        kind: [[int(v) if isinstance(v, bool) else v for v in row] for row in found] for kind, found in rows.items()
    }
    return {kind: sorted(found, key=str) for kind, found in plain.items()}


def _rules(text: str, queues: dict[str, str]) -> Iterable[list[Any]]:
    """Position, name, condition and queue of each rule; ids of queues become names, ids of rules go."""
    for place, rule in enumerate(Xml.fromstring(text).iter("rule")):  # noqa: S314  # our own emulator's row
        logical = rule.find("logical")
        target = rule.findtext("action/setattribute/rhs", "").strip("{}")
        yield [place, rule.get("name"), "" if logical is None else _compact(logical), queues.get(target, target)]


def _compact(element: Xml.Element) -> str:
    return re.sub(r">\s+<", "><", Xml.tostring(element, "unicode")).strip()


def _variables(text: str) -> Sequence[list[Any]]:
    return [[each.get("name"), each.get("data-type")] for each in Xml.fromstring(text).iter("variable")]  # noqa: S314
