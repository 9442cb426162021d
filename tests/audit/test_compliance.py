"""C01 to C18: what is seen of them in an environment and a playbook, and that the rest is never taken for a pass."""

from __future__ import annotations

import pytest

from d365setup.audit.checking import checks
from d365setup.audit.checks.privacy import personal, telling
from d365setup.center import AGENT_ROLE, ContactCenter, HeldRole, Question, User, Variable, Workstream
from d365setup.healthbot.checking import checks as of_the_bot
from tests.audit.harness import Handoff, judged
from tests.audit.judging import audited

ELSEWHERE = ("C04", "C05", "C06", "C10", "C11", "C12", "C14", "C16")
STANDING = ("C07", "C08", "C09", "C13", "C18")
SCENARIO = """
workstreams:
  - name: Patient chat
    context_variables:
      - {{name: {name}, type: text}}
scenarios:
  - name: Escalate
    trigger: escalate
    say: One moment.
    escalate: {{summary: {summary}, context: {{{name}: {value}}}}}
"""


def scenario(name: str = "Topic", value: str = "Nurse", summary: str = "A patient asks for a nurse") -> str:
    return SCENARIO.format(name=name, value=value, summary=summary)


def with_variable(name: str) -> ContactCenter:
    return ContactCenter(workstreams=(Workstream("1", "Patient chat", variables=(Variable(name, "text"),)),))


def test_every_finding_of_compliance_is_here() -> None:
    assert {each.id for each in checks() if each.id.startswith("C")} == {f"C{number:02d}" for number in range(1, 19)}


@pytest.mark.parametrize(
    ("name", "tells"),
    [
        ("Symptoms", True), ("PatientName", True), ("date_of_birth", True), ("What are your symptoms?", True),
        ("patientDOB", True), ("MRN", True), ("InsuranceNumber", True), ("medical_condition", True),
        ("BotHandOffTopic", False), ("Severity", False), ("Clinic", False), ("Language", False), ("Topic", False),
        ("Addressee", False), ("Airconditioning", False), ("QueueName", False), ("", False),
    ],
)  # fmt: skip
def test_names_that_tell(name: str, tells: bool) -> None:
    assert telling(name) is tells
    found = audited(with_variable(name), "", "C01").findings
    assert [(each.level, str(each.subject)) for each in found] == (
        [("warning", f"context_variable:Patient chat/{name}")] if tells else []
    )


def test_a_question_is_a_variable_too() -> None:
    stream = Workstream("1", "Patient chat", questions=(Question("Your symptoms"), Question("Email")))
    found = audited(ContactCenter(workstreams=(stream,)), "", "C01", "C02").findings
    assert [(each.id, each.level) for each in found] == [("C01", "warning"), ("C02", "info")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("someone@contoso.example", "an e-mail address"), ("123-45-6789", "a social security number"),
        ("+1 (425) 555-0100", "a telephone number"), ("born 1980-02-29", "a date, such as one of birth"),
        ("Nurse", ""), ("7", ""), ("Ward 12", ""), ("2026", ""),
    ],
)  # fmt: skip
def test_values_that_look_personal(text: str, what: str) -> None:
    assert personal(text) == what
    found = audited(ContactCenter(), scenario(value=f"'{text}'"), "C01").findings
    assert [each.level for each in found] == (["error"] if what else [])


@pytest.mark.parametrize("name", ["Name", "Email", "Phone", "CaseNumber"])
def test_names_that_link_a_record(name: str) -> None:
    declared = audited(with_variable(name), "", "C02").findings
    assert [each.level for each in declared] == ["info"]
    sent = audited(ContactCenter(), scenario(name), "C02").findings
    assert [(each.level, str(each.subject)) for each in sent] == [("warning", "scenario:Escalate")]


@pytest.mark.parametrize("name", ["name", "EMail", "CaseNo", "Topic"])
def test_names_that_link_nothing(name: str) -> None:
    assert audited(with_variable(name), scenario(name), "C02").passed == ("C02",)


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ("'Complaint: <symptom>'", "what a script would fill in"),
        ("'Complaint: scenario.symptom'", "what a script would fill in"),
        ("'Topic {{topic}}'", "what a script would fill in"),
        ("Call back on +44 20 7946 0000", "a telephone number"),
        ("A patient asks for a nurse", ""),
        ("The user asks for a nurse; severity < 3", ""),
    ],
)
def test_summaries(summary: str, told: str) -> None:
    found = audited(ContactCenter(), scenario(summary=summary), "C03").findings
    assert [told in each.message for each in found] == ([True] if told else [])


def test_what_the_bot_itself_sends_is_never_called_checked() -> None:
    result = audited(ContactCenter(), scenario(), "C01", "C03")
    assert result.passed == ()
    assert [each.id for each in result.unchecked] == ["C01", "C03"]


@pytest.mark.parametrize("code", ELSEWHERE)
def test_what_is_seen_elsewhere(code: str) -> None:
    result = audited(ContactCenter(), "", code)
    assert (result.findings, result.passed) == ((), ())
    assert len(result.unchecked[0].reason) > 20


def test_what_the_bots_check_sees_leads_there() -> None:
    """Whatever `healthbot check` looks for and an audit cannot see is not said to be unreadable."""
    for code in sorted({"C01", "C03", *ELSEWHERE} & {code for code, _ in of_the_bot()}):
        (unchecked,) = audited(ContactCenter(), scenario(), code).unchecked
        assert "`d365setup healthbot check`" in unchecked.reason, code


@pytest.mark.parametrize("code", STANDING)
def test_what_always_holds_is_a_note_where_a_bot_is(handoff: Handoff, code: str) -> None:
    (found,) = (each for each in judged(handoff.site).findings if each.id == code)
    assert (found.level, str(found.subject)) == ("info", "environment:Contoso Health")
    assert audited(ContactCenter(), "", code).passed == (code,)


@pytest.mark.parametrize(
    ("roles", "teams", "levels"),
    [
        ((AGENT_ROLE,), (), []),
        ((AGENT_ROLE, "Omnichannel API access"), (AGENT_ROLE,), []),
        ((AGENT_ROLE, "Case reader"), (), ["info"]),
        ((AGENT_ROLE, "System Customizer", "Case reader"), ("Omnichannel supervisor",), ["warning", "warning", "info"]),
    ],
)
def test_roles_beyond_the_one(roles: tuple[str, ...], teams: tuple[str, ...], levels: list[str]) -> None:
    bot = User("1", "Bot", bot_id="1", roles=tuple(map(HeldRole, roles)), team_roles=teams)
    found = audited(ContactCenter(users=(bot,)), "", "C17").findings
    assert [each.level for each in found] == levels


def test_roles_that_were_not_read() -> None:
    result = audited(ContactCenter(users=(User("1", "Bot", bot_id="1"),)), "", "C17", "R18")
    assert [each.id for each in result.unchecked] == ["C17", "R18"]
