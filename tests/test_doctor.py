"""Findings from facts, and privileges from queries and writes: pure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from d365setup.doctor import Bot, Caller, Facts, SignIn, Solution, Trouble, examined
from d365setup.kinds import discover, specs
from d365setup.live import wanted
from d365setup.model import Query, ResourceId, Stage, Write
from d365setup.needs import Need, carrier, missing, of, of_query, of_write
from d365setup.playbook import load_file
from d365setup.report import render

ROOT = Path(__file__).parent.parent
NOW = 1_800_000_000.0
DAY = 86400.0
WELL = Facts(
    "https://contoso.crm.dynamics.com",
    SignIn("a client secret", "D365_CLIENT_SECRET is set"),
    now=NOW,
    caller=Caller("u1", "Pipeline", ("Omnichannel administrator",)),
    organization="Contoso",
    organization_id="o1",
    version="9.2",
    solutions=(Solution("msdyn_OmnichannelBase", "Base", "1.0"),),
    clock_skew=1.0,
    lasting="unknowable",
    playbook="bot",
    needs=(Need("prvReadQueue"),),
    held=frozenset({"prvReadQueue"}),
)
NO = Trouble("no", "ask")


def verdicts(facts: Facts) -> dict[str, str]:
    return {each.name: each.verdict for each in examined(facts).checks}


def test_all_well() -> None:
    found = examined(WELL)
    assert found.exit_code == 0
    assert set(verdicts(WELL).values()) == {"ok", "unknown"}


@pytest.mark.parametrize(
    ("change", "name", "verdict", "code"),
    [
        ({"failure": NO}, "environment", "error", 6),
        ({"failure": NO, "signed_in": False}, "sign-in", "error", 6),
        ({"caller": None}, "sign-in", "unknown", 0),
        ({"organization_id": ""}, "organization", "unknown", 0),
        ({"solutions": NO}, "Omnichannel", "unknown", 0),
        ({"solutions": ()}, "Omnichannel", "warning", 0),
        ({"omnichannel_missing": True}, "Omnichannel", "error", 6),
        ({"clock_skew": 59.0}, "clock", "ok", 0),
        ({"clock_skew": -61.0}, "clock", "warning", 0),
        ({"clock_skew": 301.0}, "clock", "error", 6),
        ({"expiring": "the certificate", "expires": NOW - 1}, "expiry", "error", 6),
        ({"expiring": "the certificate", "expires": NOW + 29 * DAY}, "expiry", "warning", 0),
        ({"expiring": "the certificate", "expires": NOW + 31 * DAY}, "expiry", "ok", 0),
        ({"expiring": "the access token", "expires": NOW + 3000}, "expiry", "ok", 0),
        ({"expiring": "the access token", "expires": NOW + 500}, "expiry", "warning", 0),
        ({"held": frozenset()}, "privileges", "error", 6),
        ({"held": NO}, "privileges", "unknown", 0),
        ({"held": NO, "caller": Caller("u1", "x", ("System Administrator",))}, "privileges", "ok", 0),
        ({"no_plan": NO}, "plan", "warning", 0),
        ({"gives_roles": True}, "roles", "warning", 0),
        ({"bot": Bot("link", 1)}, "Health Bot", "ok", 0),
        ({"bot": Bot("link", trouble=NO)}, "Health Bot", "error", 6),
        ({"bot": Bot("link", trouble=NO), "failure": NO}, "Health Bot", "error", 6),
        ({"bot": Bot("link", trouble=NO, is_asked=False)}, "Health Bot", "unknown", 0),
    ],
)
def test_each_finding(change: dict[str, object], name: str, verdict: str, code: int) -> None:
    facts = replace(WELL, **change)  # type: ignore[arg-type]
    assert verdicts(facts)[name] == verdict
    assert examined(facts).exit_code == code
    if verdict in ("warning", "error"):
        assert next(each.next for each in examined(facts).checks if each.name == name)


def test_nothing_is_judged_behind_a_closed_door() -> None:
    facts = replace(WELL, failure=NO, clock_skew=None)
    assert verdicts(facts) == {"environment": "error", "expiry": "unknown"}


def test_without_a_playbook_no_privilege_is_judged() -> None:
    assert "privileges" not in verdicts(replace(WELL, playbook=""))


def test_text_from_elsewhere_cannot_steer_a_terminal() -> None:
    shown = render(examined(replace(WELL, organization="a\x1b[31mb\nc", failure=None)))
    assert "\x1b" not in shown
    assert r"a\x1b[31mb\nc" in shown


# -- privileges --------------------------------------------------------------------------------------------------------

THING = ResourceId("queue", "Nurses")


def write(method: str, path: str, body: dict[str, object] | None = None, **condition: str) -> Write:
    return Write(Stage.THINGS, method, path, body, (THING,), condition)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        (Query("q", "queues"), ["prvReadQueue"]),
        (
            Query("q", "queues", expand=("queuemembership_association($select=fullname)",)),
            ["prvReadQueue", "prvReadUser"],
        ),
        (write("PATCH", "queues(1)", {"name": "x"}, **{"If-None-Match": "*"}), ["prvCreateQueue"]),
        (write("PATCH", "queues(1)", {"name": "x"}, **{"If-Match": "*"}), ["prvWriteQueue"]),
        (write("DELETE", "queues(1)"), ["prvDeleteQueue"]),
        (
            write("POST", "queues(1)/queuemembership_association/$ref", {"@odata.id": "systemusers(2)"}),
            ["prvAppendQueue", "prvAppendToUser"],
        ),
        (
            write("DELETE", "queues(1)/queuemembership_association(2)/$ref"),
            ["prvAppendQueue", "prvAppendToUser"],
        ),
        (
            write("POST", "systemusers(1)/systemuserroles_association/$ref", {"@odata.id": "roles(2)"}),
            ["prvAppendUser", "prvAppendToRole", "prvAssignRole"],
        ),
        (
            write("PATCH", "systemusers(1)", {"businessunitid@odata.bind": "/businessunits(2)"}, **{"If-Match": "x"}),
            ["prvWriteUser", "prvAppendUser", "prvAppendToBusinessUnit"],
        ),
    ],
)
def test_what_each_request_needs(given: Query | Write, needed: list[str]) -> None:
    assert list(of_query(given) if isinstance(given, Query) else of_write(given)) == needed


@pytest.mark.parametrize("path", ["accounts(1)", "$batch"])
def test_a_table_nobody_told_of_is_an_error(path: str) -> None:
    with pytest.raises(KeyError):
        list(of_write(write("DELETE", path)))


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yaml")), ids=lambda path: path.name)
def test_every_table_the_kinds_read_is_known(playbook: Path) -> None:
    kinds = discover()
    desired = load_file(playbook, specs(kinds), {}, {}, examples=True).desired
    assert of(tuple(wanted(kinds, desired)), ())


@pytest.mark.parametrize(
    ("privilege", "role"),
    [
        ("prvReadOrganization", "Basic User"),
        ("prvCreateUser", "Omnichannel administrator"),
        ("prvWritemsdyn_decisionruleset", "Omnichannel administrator"),
        ("prvAppendToBusinessUnit", "System Administrator"),
        ("prvDeleteUser", "System Administrator"),
    ],
)
def test_which_role_carries_it(privilege: str, role: str) -> None:
    assert carrier(privilege) == role


def test_what_is_missing_is_told_once_with_all_that_needs_it() -> None:
    needs = of((), (write("DELETE", "queues(1)"), write("DELETE", "queues(2)")))
    (lacking,) = missing(needs, ["PRVREADORGANIZATION", "prvReadBusinessUnit"])
    assert lacking == Need("prvDeleteQueue", (str(THING),))


def test_both_names_of_the_user_table_count() -> None:
    assert not missing([Need("prvReadUser")], ["prvReadSystemUser"])
