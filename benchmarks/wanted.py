"""What the rows of a job hold, in the service's own columns: the facts all hand-written contenders share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from benchmarks.jobs import Bot, Queue, Rule, Stream

OUTPUT_CONTRACT = "msdyn_demandqueueidentificationoutput"
ROUTE_TO_QUEUE = 192350002
DATA_TYPES = {"text": 192350000, "number": 192350001}
_OURS = uuid.UUID("6f2a2f0e-33a5-4d06-9c1c-5d0c8f3a7b11")

Body = dict[str, Any]


def chosen_id(*names: str) -> str:
    """The id a script chooses for what it makes, so that a second run finds it again."""
    return str(uuid.uuid5(_OURS, "/".join(names)))


def bot(wants: Bot) -> Body:
    return {
        "applicationid": wants.application_id,
        "lastname": wants.name,
        "internalemailaddress": wants.email,
        "accessmode": 4,
        "msdyn_agentType": 192350001,
        "msdyn_botapplicationid": wants.bot_id,
        "msdyn_botprovider": 192350001,
        "msdyn_capacity": wants.capacity,
    }


def queue(wants: Queue) -> Body:
    body = {
        "name": wants.name,
        "queueviewtype": 1,
        "msdyn_isomnichannelqueue": True,
        "msdyn_queuetype": 192350000,
        "msdyn_priority": wants.priority,
        "msdyn_assignmentstrategy": 192350000,
    }
    return body if wants.description is None else {**body, "description": wants.description}


def variable(name: str, kind: str) -> Body:
    return {
        "msdyn_name": name,
        "msdyn_displayname": name,
        "msdyn_datatype": DATA_TYPES[kind],
        "msdyn_isdisplayable": True,
        "msdyn_ismodifiable": True,
        "msdyn_islist": False,
        "msdyn_issystemdefined": False,
    }


def rule_set(stream: Stream, text: str) -> Body:
    return {
        "msdyn_name": f"{stream.name} route to queue",
        "msdyn_uniquename": _unique("rule set", stream.name),
        "msdyn_rulesettype": 192350000,
        "msdyn_authoringmode": 192350000,
        "msdyn_rulesetdefinition": text,
    }


def configuration(stream: Stream) -> Body:
    return {
        "msdyn_name": f"RC {stream.name}",
        "msdyn_uniquename": _unique("configuration", stream.name),
        "msdyn_isactiveconfiguration": True,
    }


def step(stream: Stream) -> Body:
    return {
        "msdyn_name": "Route to queue",
        "msdyn_uniquename": _unique("step", stream.name),
        "msdyn_type": ROUTE_TO_QUEUE,
        "msdyn_steporder": 1,
    }


def _unique(*names: str) -> str:
    return f"new_{chosen_id(*names).replace('-', '')}"


def differing(row: Mapping[str, Any], body: Body) -> Body:
    """The part of the body that the row does not hold yet."""
    return {name: value for name, value in body.items() if "@" not in name and row.get(name) != value}


def rules_text(stream: Stream, queues: Mapping[str, str]) -> str:
    """The rule set of a work stream, queues by their ids."""
    rules = "".join(_rule(stream, rule, queues[rule.queue]) for rule in stream.rules)
    return f'<decision hit-policy="all" version="1"><rules>{rules}</rules></decision>'


def _rule(stream: Stream, rule: Rule, queue_id: str) -> str:
    return (
        f'<rule id="{chosen_id("rule", stream.name, rule.name)}" name={quoteattr(rule.name)}>{_when(rule)}<action>'
        f'<setattribute><lhs type="attribute">assign_to.queue</lhs><rhs type="staticvalue">{{{queue_id}}}</rhs>'
        "</setattribute></action></rule>"
    )


def _when(rule: Rule) -> str:
    if not rule.tests:
        return ""
    tests = "".join(_test(*each) for each in rule.tests)
    inner = tests if len(rule.tests) == 1 else f'<logical operator="OR">{tests}</logical>'
    return f'<logical operator="AND"><logical operator="AND">{inner}</logical></logical>'


def _test(variable_name: str, operator: str, value: str) -> str:
    left = f'<lhs type="attribute">liveworkitemcontext.{variable_name}</lhs>'
    right = f'<rhs type="staticvalue">{escape(value)}</rhs>' if operator != "not-null" else ""
    return f'<condition operator="{operator}">{left}{right}</condition>'
