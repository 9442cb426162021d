from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from d365setup.audit import Audit, Finding, Subject
from d365setup.pages import page
from d365setup.report import Document, Mask, Verification, render
from d365setup.report.as_sarif import uri
from tests.report.audits import AUDIT, CENTER
from tests.report.samples import DOCUMENTS, IN_LINE, PEOPLE, PLAN, RUN
from tests.report.schemas import check_sarif
from tests.report.test_junit import PROOF


def log(document: Document, **more: Any) -> Any:
    """The one run of the log."""
    found = json.loads(render(document, "sarif", **more))
    check_sarif(found)
    (run,) = found["runs"]
    return run


def results(document: Document, **more: Any) -> list[Any]:
    return list(log(document, **more)["results"])


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in ("history", "doctor")])
def test_it_follows_the_published_schema(name: str) -> None:
    log(DOCUMENTS[name])


def test_the_schema_tells_a_wrong_log() -> None:
    found = json.loads(render(AUDIT, "sarif"))
    found["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(Exception, match="fatal"):
        check_sarif(found)


def test_findings_are_results_with_the_playbooks_line() -> None:
    first, second, *_ = results(AUDIT)
    assert (first["ruleId"], first["level"]) == ("X12", "error")
    assert first["message"]["text"] == "workstream:Patient chat: it has no fallback queue"
    (location,) = first["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "playbooks/bot.yaml"},
        "region": {"startLine": 31, "startColumn": 5},
    }
    assert location["logicalLocations"] == [
        {"name": "Patient chat", "fullyQualifiedName": "workstream:Patient chat", "kind": "workstream"}
    ]
    assert "physicalLocation" not in second["locations"][0]
    assert second["properties"]["link"].startswith("https://contoso.crm.dynamics.com/main.aspx?")
    assert second["properties"]["cure"].startswith("Give the work stream")


def test_levels_and_waivers() -> None:
    found = results(AUDIT)
    assert [(each["ruleId"], each["level"]) for each in found] == [
        ("X12", "error"),
        ("X12", "error"),
        ("waiver", "error"),
        ("X09", "warning"),
        ("X03", "warning"),
        ("waiver", "warning"),
        ("X26", "note"),
    ]
    suppressed = [each for each in found if "suppressions" in each]
    assert [each["ruleId"] for each in suppressed] == ["X03"]
    assert suppressed[0]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "ops@contoso.example, until 2027-03-31: it is replaced in March",
        }
    ]


def test_rules_tell_what_their_page_says() -> None:
    finding = Finding("R12", "error", Subject("queue", "Nurses"), "nobody is in it")
    (rule,) = log(Audit(CENTER, (finding,)))["tool"]["driver"]["rules"]
    told = page("R12")
    assert (rule["id"], rule["shortDescription"]["text"]) == ("R12", told.title)
    assert rule["fullDescription"]["text"] == told.section("What it is")
    assert "**Cure**" in rule["help"]["markdown"]
    assert rule["defaultConfiguration"] == {"level": "error"}


def test_fingerprints_stay_when_values_change_and_differ_between_subjects() -> None:
    one = Finding("X12", "error", Subject("queue", "Nurses"), "3 people", (("people", "3"),))
    other = replace(one, subject=Subject("queue", "Billing"))
    later = replace(one, message="2 people", evidence=(("people", "2"),))
    first, second, third = results(Audit(CENTER, (one, other, later)))
    assert first["partialFingerprints"] == third["partialFingerprints"] != second["partialFingerprints"]


def test_mistakes_warnings_tests_drift_and_failures() -> None:
    def told(document: Document) -> list[tuple[str, str, int]]:
        def line(each: Any) -> int:
            places = [place["physicalLocation"] for place in each["locations"] if "physicalLocation" in place]
            return int(places[0]["region"]["startLine"]) if places else 0

        return [(each["ruleId"], each["level"], line(each)) for each in results(document)]

    assert told(DOCUMENTS["validation"]) == [("playbook-mistake", "error", 3)]
    assert told(replace(PLAN, proof=PROOF)) == [("playbook-test", "error", 61), ("plan-warning", "warning", 23)]
    assert told(Verification(IN_LINE)) == []
    assert told(Verification(PLAN))[:2] == [("drift", "warning", 12), ("drift", "warning", 23)]
    assert told(RUN)[:4] == [
        ("not-applied", "error", 23),
        ("not-applied", "error", 50),
        ("not-applied", "error", 25),
        ("not-applied", "warning", 40),
    ]
    assert told(DOCUMENTS["error"]) == [("error", "error", 0), ("playbook-mistake", "error", 25)]


def test_a_command_that_failed_did_not_succeed() -> None:
    (failed,) = log(DOCUMENTS["error"])["invocations"]
    assert (failed["executionSuccessful"], failed["exitCode"]) == (False, 6)
    assert failed["toolExecutionNotifications"][0]["message"]["text"].startswith("no connection to")
    assert log(AUDIT)["invocations"] == [{"exitCode": 4, "executionSuccessful": True}]


def test_files_are_below_the_root() -> None:
    first, *_ = results(AUDIT, where=lambda file: f"sub/{file}")
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "sub/playbooks/bot.yaml"


@pytest.mark.parametrize(
    ("file", "address"),
    [
        ("playbooks/bot.yaml", "playbooks/bot.yaml"),
        ("./a b/ü#1.yaml", "a%20b/%C3%BC%231.yaml"),
        ("../x.yaml", "../x.yaml"),
        ("playbooks\\bot.yaml", "playbooks/bot.yaml"),
        ("/srv/bot.yaml", "file:///srv/bot.yaml"),
        ("C:\\x\\bot.yaml", "file:///C:/x/bot.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
    ],
)
def test_a_path_as_an_address(file: str, address: str) -> None:
    assert uri(file) == address


def test_braces_and_links_in_messages_are_text() -> None:
    finding = Finding("X12", "error", Subject("queue", "{0}"), "see [this](https://evil.example)")
    (found,) = results(Audit(CENTER, (finding,)))
    assert found["message"]["text"] == r"queue:{{0}}: see \[this\](https://evil.example)"


def test_masked_people_are_not_in_fingerprints_either() -> None:
    finding = Finding("X12", "error", Subject("queue_member", "Nurses/nora.quist@contoso.example"), "disabled")
    audit = Audit(CENTER, (finding,))
    plain, masked = (results(audit, mask=mask)[0]["partialFingerprints"] for mask in (None, Mask(PEOPLE)))
    assert plain != masked
