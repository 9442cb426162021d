from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from d365setup.audit import Audit, Finding, Subject
from d365setup.audit.readiness import Link, Path, Readiness
from d365setup.model import Source
from d365setup.proof import SKIPPED, Proof, TestResult, Unmet
from d365setup.report import Checked, Document, ErrorReport, Validation, Verification, render
from tests.report.audits import AUDIT, CENTER
from tests.report.samples import DOCUMENTS, IN_LINE, PLAN, RUN
from tests.report.schemas import check_junit

LINE = Source("playbooks/bot.yaml", 61, 15)
PROOF = Proof(
    (
        TestResult("A nurse request leaves the bot", "Patient chat", Source("playbooks/bot.yaml", 60, 5)),
        TestResult("Billing", "Patient chat", problems=(Unmet("expected queue Billing, got Nurses", LINE),)),
        TestResult("Hours", "Patient chat", undecided=(Unmet("nobody knows who is in it", LINE),)),
    ),
    "playbook",
)


def xml(document: Document, **more: Any) -> etree._Element:
    return check_junit(render(document, "junit", **more))


def cases(root: etree._Element, suite: str) -> dict[str, str]:
    """What became of each case of a suite: passed, or the verdict and its text."""
    found = {}
    for case in root.iterfind(f"testsuite[@name='{suite}']/testcase"):
        verdict = case.find("*")
        found[case.get("name", "")] = "passed" if verdict is None else f"{verdict.tag}: {verdict.text}"
    return found


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in ("history", "doctor")])
def test_it_follows_the_published_schema(name: str) -> None:
    xml(DOCUMENTS[name])


def test_an_audit_has_a_case_for_each_check() -> None:
    found = cases(xml(AUDIT), "audit")
    assert [name[:3] for name in found] == ["X01", "X02", "X03", "X05", "X07", "X09", "X12", "X20", "X26", "wai"]
    assert found["X01"] == "passed"
    assert found["X12"].startswith(
        "failure: 2 findings\nplaybooks/bot.yaml:31:5: workstream:Patient chat: it has no fa"
    )
    assert found["X20"] == "skipped: not checked: the directory cannot be read with these rights"
    assert found["X09"] == found["X26"] == found["X03"] == "passed"  # warnings do not fail an audit, nor what is waived
    assert found["waivers"].startswith("failure: waivers.yaml:4:5: ")


def test_what_an_audit_fails_for_is_what_its_cases_fail_for() -> None:
    found = cases(xml(AUDIT.failing_on("info")), "audit")
    assert [name for name, told in found.items() if told.startswith("failure")] == ["X09", "X12", "X26", "waivers"]


def test_milder_findings_are_told_all_the_same() -> None:
    (out,) = xml(AUDIT).iterfind("testsuite/system-out")
    assert "X09 warning: queue:Health bot: its bot has less capacity than Nora Quist" in str(out.text)
    assert "X03 waived until 2027-03-31 by ops@contoso.example" in str(out.text)
    assert "waiver: nothing needed the waiver of X06" in str(out.text)


def test_a_check_that_found_thousands_stays_small() -> None:
    many = tuple(Finding("X12", "error", Subject("queue", f"Q{n}"), "empty") for n in range(5_000))
    text = render(Audit(CENTER, many), "junit")
    assert len(text) < 30_000
    assert "… and 4801 more lines" in text


def test_playbook_tests_are_cases_with_their_lines() -> None:
    checked = Checked("playbooks/bot.yaml", "contoso-health-bot", {}, PROOF)
    found = cases(xml(Validation((checked,))), "tests")
    assert found == {
        "Patient chat: A nurse request leaves the bot": "passed",
        "Patient chat: Billing": "failure: playbooks/bot.yaml:61:15: expected queue Billing, got Nurses",
        "Patient chat: Hours": "skipped: playbooks/bot.yaml:61:15: cannot be decided here: nobody knows who is in it",
    }
    for document in (replace(PLAN, proof=PROOF), replace(RUN, plan=replace(PLAN, proof=PROOF))):
        assert cases(xml(document), "tests") == found
    assert cases(xml(ErrorReport("not applied", 4, proof=PROOF)), "tests") == found


def test_skipped_tests_are_no_passed_tests() -> None:
    found = cases(xml(replace(PLAN, proof=SKIPPED)), "tests")
    assert found == {"the playbook's tests": "skipped: tests skipped (--skip-tests)"}


def test_things_are_cases() -> None:
    assert set(cases(xml(PLAN), "plan").values()) == {"passed"}
    assert cases(xml(Verification(IN_LINE)), "verification") == {"1 in line with playbook contoso-health-bot": "passed"}
    drift = cases(xml(Verification(PLAN)), "verification")
    assert drift["queue:Nurses"] == "failure: playbooks/bot.yaml:23:5: drift: update of type, description"
    assert [told.split(":")[0] for told in cases(xml(RUN), "apply").values()] == [
        "passed",
        "error",
        "skipped",
        "failure",
        "skipped",
    ]


def test_mistakes_and_failures_are_errors() -> None:
    found = cases(xml(DOCUMENTS["validation"]), "validation")
    assert found["playbooks/bot.yaml"] == "passed"
    assert found["other.yaml"] == "error: other.yaml:3:7: 'qeueu' is no key here; did you mean 'queue'?"
    (told,) = cases(xml(DOCUMENTS["error"]), "d365setup").values()
    assert told.startswith("error: no connection to https://contoso.crm.dynamics.com could be made\n")
    assert told.endswith("\nnext: check the address, the network and the proxy settings")


def test_it_says_when() -> None:
    at = datetime(2026, 11, 22, 11, 22, 2, 500, tzinfo=UTC)
    assert {each.get("timestamp") for each in xml(RUN, at=at)} == {"2026-11-22T11:22:02"}


def test_hand_offs_are_cases() -> None:
    broken = Link("bot", "Health Bot", "broken", "no user has its application ID", ("R18",))
    waived = Link("queue", "Nurses", "broken", "nobody is in it", ("R31",), waived=True)
    unknown = Link("people", "Nurses", "unknown", "its members could not be read")
    paths = (
        Path("", "Health Bot", "", (broken,)),
        Path("Patient chat", "Health Bot", "BotHandOffTopic=Nurse", (Link("bot", "Health Bot"), waived)),
        Path("Patient chat", "Health Bot", "BotHandOffTopic=Billing", (unknown,)),
    )
    document = Verification(IN_LINE, Readiness(paths), AUDIT)
    assert cases(xml(document), "readiness") == {
        "Health Bot hands over": "failure: Health Bot hands over: bot Health Bot: no user has its application ID (R18)",
        "Patient chat: Health Bot hands over BotHandOffTopic=Nurse": "passed",
        "Patient chat: Health Bot hands over BotHandOffTopic=Billing": (
            "skipped: people Nurses: its members could not be read"
        ),
    }
    assert "X12" in next(name for name, told in cases(xml(document), "audit").items() if told.startswith("failure"))
    log = json.loads(render(document, "sarif"))["runs"][0]["results"]
    assert [each["ruleId"] for each in log if each["level"] == "error"] == ["not-ready", "X12", "X12", "waiver"]
    said = render(document, "markdown")
    assert "hand-offs: 1 of 3 ready, 1 broken" in said
    assert "### ❌ Hand-offs that break (1)\n\n- **bot\\_user:Health Bot**: Health Bot hands over: bot " in said
