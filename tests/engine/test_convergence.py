"""Convergence as a property: any playbook, any start; apply, plan again is empty, what nobody declared stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator, Options, Switches
from d365setup.outcome import Status
from tests.engine.driver import APPLICATION, BOT_ID, applied, put_rules

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

QUEUES = ("Nurses", "Billing", "Triage", "Night desk", "Ärzte & Co", "O'Neil / <sons>")
PEOPLE = ("nurse.one@contoso.example", "nurse.two@contoso.example", "billing.one@contoso.example")
VARIABLES = ("Topic", "Severity", "Language")
METHODS = ("highest capacity", "advanced round robin", "least active")

names = st.sampled_from(QUEUES)


@st.composite
def queues(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for name in draw(st.lists(names, unique=True, min_size=1, max_size=4)):
        queue: dict[str, Any] = {"name": name}
        if draw(st.booleans()):
            queue["priority"] = draw(st.integers(1, 9))
        if draw(st.booleans()):
            queue["assignment"] = draw(st.sampled_from(METHODS))
        if draw(st.booleans()):
            queue["description"] = draw(st.sampled_from(["", "One line", "Two\nlines", "Grüße & <tags> 'quoted'"]))
        members = draw(st.lists(st.sampled_from((*PEOPLE, "Bot")), unique=True, max_size=3))
        mode = draw(st.sampled_from(["include", "exact"]))
        if members or mode == "exact":
            queue["members"] = {"mode": mode, "users": members}
        found.append(queue)
    return found


@st.composite
def rules(draw: st.DrawFn, targets: list[str]) -> list[dict[str, Any]]:
    found = []
    for name in draw(st.lists(st.sampled_from("ABCDEF"), unique=True, max_size=5)):
        rule: dict[str, Any] = {"name": f"Rule {name} <&>", "queue": draw(st.sampled_from(targets))}
        if draw(st.booleans()):
            rule["when"] = draw(conditions)
        found.append(rule)
    return found


text_tests = st.builds(
    lambda value: {"variable": "Topic", "operator": "equals", "value": value},
    st.sampled_from(["Nurse", "a<b", "no", "7"]),
)
number_tests = st.builds(
    lambda operator, value: {"variable": "Severity", "operator": operator, "value": value},
    st.sampled_from(["equals", "more than", "at least"]),
    st.integers(-5, 5),
)
other_tests = st.sampled_from(
    [
        {"variable": "Language", "operator": "has a value"},
        {"variable": "Topic", "operator": "is one of", "value": ["x", "z"]},
    ]
)
tests = text_tests | number_tests | other_tests
conditions: st.SearchStrategy[dict[str, Any]] = st.recursive(
    tests,
    lambda inner: st.builds(
        lambda kind, parts: {kind: parts}, st.sampled_from(["any", "all"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=4,
)


@st.composite
def playbooks(draw: st.DrawFn) -> dict[str, Any]:
    found = draw(queues())
    targets = [queue["name"] for queue in found]
    stream: dict[str, Any] = {
        "name": "Patient chat",
        "context_variables": [{"name": n, "type": "number" if n == "Severity" else "text"} for n in VARIABLES],
        "routing_rules": draw(rules(targets)),
    }
    if draw(st.booleans()):
        stream["fallback_queue"] = draw(st.sampled_from(targets))
    return {
        "playbook": 1,
        "name": "property",
        "bot_users": [
            {
                "name": "Bot",
                "application_id": APPLICATION,
                "bot_application_id": BOT_ID,
                "email": "bot@contoso.example",
                "capacity": draw(st.sampled_from(["highest", "maximum", 5])),
            }
        ],
        "queues": found,
        "workstreams": [stream],
    }


hands = st.lists(
    st.sampled_from(
        ["queue", "people", "role", "variable", "foreign rules", "old bot", "disabled bot", "earlier apply", "unlinked"]
    ),
    unique=True,
    max_size=4,
)
answers = st.builds(
    Switches,
    repeated_link=st.sampled_from(["204", "412"]),
    contract=st.sampled_from(["at once", "late"]),
    mappings=st.sampled_from(["complete", "second write", "never"]),
    failed_changeset=st.sampled_from(["wrapper", "single"]),
    bot_columns=st.sampled_from(["accepted", "refused"]),
    default_queue_column=st.sampled_from(["present", "missing"]),
    disabled_rules_column=st.sampled_from(["present", "absent"]),
    memo_line_ends=st.sampled_from(["as sent", "crlf"]),
)

FOREIGN = (
    '<?xml version="1.0"?>\r\n<decision version="1" hit-policy="all">\r\n  <rules>\r\n'
    '    <rule name="Theirs" id="33333333-cccc-4ccc-8ccc-000000000001"><!-- mine --><logical operator="AND">'
    '<condition operator="not-null"><lhs type="attribute">liveworkitemcontext.Topic</lhs></condition></logical>\n'
    '<action><setattribute><lhs type="attribute">assign_to.queue</lhs>'
    '<rhs type="staticvalue">{%s}</rhs></setattribute></action></rule>\r\n  </rules>\r\n</decision>'
)


@contextmanager
def started(switches: Switches, acts: list[str]) -> Iterator[Emulator]:
    emulator = Emulator(None, Options(switches=switches))
    with closing(emulator), emulator.serve():  # closed too where hypothesis gives up in the middle of an example
        for act in acts:
            _by_hand(emulator, act)
        yield emulator


def _one(emulator: Emulator, sql: str) -> str:
    return str(emulator.sql(sql)[0][0])


def _by_hand(emulator: Emulator, act: str) -> None:
    stream = _one(emulator, "SELECT msdyn_liveworkstreamid FROM msdyn_liveworkstream WHERE msdyn_name = 'Patient chat'")
    nurses = _one(emulator, "SELECT queueid FROM queue WHERE name = 'Nurses'")
    unit = _one(emulator, "SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")
    if act == "queue":
        emulator.add("queue", name="Triage", msdyn_isomnichannelqueue=True, queueviewtype=1, msdyn_priority=4)
    elif act == "people":
        one = _one(
            emulator, "SELECT systemuserid FROM systemuser WHERE internalemailaddress = 'billing.one@contoso.example'"
        )
        emulator.link("queue", nurses, "queuemembership_association", one)
    elif act == "variable":
        emulator.add(
            "msdyn_ocliveworkstreamcontextvariable",
            msdyn_name="Undeclared",
            msdyn_datatype=192350000,
            msdyn_liveworkstreamid=stream,
        )
    elif act == "foreign rules":
        put_rules(emulator, FOREIGN % nurses.upper())
    elif act in ("old bot", "disabled bot"):
        if not emulator.sql("SELECT 1 FROM systemuser WHERE applicationid = ?", [APPLICATION]):
            emulator.add(
                "systemuser", applicationid=APPLICATION, businessunitid=unit, internalemailaddress="x@y.example"
            )
        if act == "disabled bot":
            bot = _one(emulator, f"SELECT systemuserid FROM systemuser WHERE applicationid = '{APPLICATION}'")  # noqa: S608
            emulator.change("systemuser", bot, isdisabled=1)


def _undeclared(emulator: Emulator, playbook: dict[str, Any], switches: Switches) -> dict[str, set[Any]]:
    """Members of queues that are not `exact`, variables and rules the playbook does not name, read raw."""
    exact = {q["name"] for q in playbook["queues"] if q.get("members", {}).get("mode") == "exact"}
    members = emulator.sql("SELECT q.name, m.systemuserid FROM queuemembership m JOIN queue q ON q.queueid = m.queueid")
    variables = emulator.sql("SELECT msdyn_name FROM msdyn_ocliveworkstreamcontextvariable")
    texts = emulator.sql("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset WHERE msdyn_name = 'Theirs'")
    theirs = {text.split('<rule name="Theirs"')[1].split("</rule>")[0] for (text,) in texts}
    if switches.memo_line_ends == "crlf":  # what the service hands out with CRLF is stored so when it is sent back
        theirs = {text.replace("\r\n", "\n") for text in theirs}
    return {
        "members": {row for row in members if row[0] not in exact},
        "variables": {name for (name,) in variables if name not in VARIABLES},
        "rules": theirs,
        "roles": set(emulator.sql("SELECT systemuserid, roleid FROM systemuserroles")),
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(playbook=playbooks(), acts=hands, switches=answers)
def test_any_playbook_converges_from_any_start(playbook: dict[str, Any], acts: list[str], switches: Switches) -> None:
    text = yaml.safe_dump(playbook, sort_keys=False, allow_unicode=True)
    with started(switches, acts) as emulator:
        before = _undeclared(emulator, playbook, switches)
        first = applied(emulator, text)
        assert set(first.statuses.values()) <= {Status.VERIFIED}, first.outcomes
        second = applied(emulator, text)
        assert second.decision.plan.changes == ()
        assert second.writes == []
        after = _undeclared(emulator, playbook, switches)
        for what, rows in before.items():
            assert rows <= after[what], what
