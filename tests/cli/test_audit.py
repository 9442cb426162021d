"""`d365setup audit` through the command a user types, against the emulator over its URL."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from d365setup.audit import LEVELS, Finding, Seen, checking
from d365setup.dataverse.client import Client, Request
from d365setup.emulator import Emulator
from d365setup.emulator import fixtures as names
from d365setup.kinds.queue import Queues
from tests.cli.conftest import TOKEN, VALUES, Ended, Run

BROKEN = '<decision hit-policy="all" version="1"><rules><rule id="x">'
WAIVERS = """
waivers: 1
items:
  - {{finding: R12, object: "{subject}", reason: Being staffed, owner: ops@contoso.example, expires: {day}}}
"""
Audited = Callable[..., Ended]


@pytest.fixture
def audit(run: Run, emulator: Emulator) -> Audited:
    """Audit the clinic, which has a work stream without a fallback queue (R12) to begin with."""

    def call(*args: str) -> Ended:
        return run("audit", *args, "--url", emulator.url, D365_ACCESS_TOKEN=TOKEN)

    return call


def found(ended: Ended) -> list[tuple[str, str]]:
    """The serious findings, by id and object."""
    serious = (each for each in ended.json["findings"] if each["level"] != "info")
    return [(each["id"], f"{each['object']['kind']}:{each['object']['key']}") for each in serious]


def test_it_judges_a_whole_environment(audit: Audited, emulator: Emulator) -> None:
    ended = audit("--format", "json")
    assert ended.code == 4
    assert found(ended) == [("R12", "workstream:Patient chat")]
    assert all(request.method in ("GET", "POST") for request in emulator.requests)
    assert emulator.sql("SELECT COUNT(*) FROM msdyn_routingconfiguration") == [(0,)]


def test_the_text_says_what_where_and_what_next(audit: Audited) -> None:
    ended = audit()
    assert ended.code == 4
    for told in ("R12", "workstream:Patient chat", "it has no fallback queue", "fallback_queue:", "explain R12"):
        assert told in ended.out


def test_the_level_that_fails(at: Run) -> None:
    assert at("apply", "--yes").code == 0
    assert {level: at("audit", "--fail-on", level).code for level in LEVELS} == {"error": 0, "warning": 0, "info": 4}


def test_a_playbook_narrows_it_to_its_part(at: Run, audit: Audited, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    emulator.add("msdyn_liveworkstream", msdyn_name="Elsewhere", msdyn_mode=717210001, msdyn_streamsource=192360000)
    assert found(audit("--format", "json")) == [("R12", "workstream:Elsewhere")]
    assert found(at("audit", "--format", "json")) == []


def test_only_some(audit: Audited) -> None:
    ended = audit("--only", "r1, R12", "--format", "json")
    assert set(ended.json["passed"]) == {"R01"}
    assert found(ended) == [("R12", "workstream:Patient chat")]


@pytest.mark.parametrize(("wrong", "told"), [("R99", "did you mean R"), ("", "''"), ("0x80040220", "is no finding")])
def test_a_finding_nobody_knows(audit: Audited, wrong: str, told: str) -> None:
    ended = audit("--only", wrong)
    assert ended.code == 2
    assert told in ended.err


def test_a_snapshot_is_judged_as_its_environment_was(audit: Audited, run: Run, tmp_path: Path) -> None:
    live = audit("--save", "clinic.json", "--format", "json")
    assert stat.S_IMODE((tmp_path / "clinic.json").stat().st_mode) == 0o600
    again = run("audit", "--snapshot", "clinic.json", "--format", "json")
    assert again.code == live.code == 4
    for part in ("findings", "passed", "not_checked", "taken_at"):
        assert again.json[part] == live.json[part]
    assert again.json["origin"] == "snapshot"


def test_what_is_saved_is_the_environment_and_not_the_part(at: Run, run: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    emulator.add("msdyn_liveworkstream", msdyn_name="Elsewhere", msdyn_mode=717210001, msdyn_streamsource=192360000)
    assert at("audit", "--save", "clinic.json").code == 0
    assert found(run("audit", "--snapshot", "clinic.json", "--format", "json")) == [("R12", "workstream:Elsewhere")]
    part = run("audit", "bot.yaml", "--snapshot", "clinic.json", "--examples", "--format", "json")
    assert part.code == 0
    assert found(part) == []


def _edited(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((tmp_path / "clinic.json").read_text())
    change(document)
    (tmp_path / "clinic.json").write_text(json.dumps(document))


def test_a_snapshot_of_another_version(audit: Audited, run: Run, tmp_path: Path) -> None:
    audit("--save", "clinic.json")
    _edited(tmp_path, lambda document: document.update(schema="d365setup/snapshot/3"))
    ended = run("audit", "--snapshot", "clinic.json")
    assert ended.code == 2
    assert "d365setup/snapshot/2" in ended.err
    assert "audit --save" in ended.err


@pytest.mark.parametrize(
    "options",
    [("--url", "https://contoso.crm.dynamics.com"), ("--emulator",), ("--save", "other.json"), ("--device-code",)],
    ids=lambda options: options[0],
)
def test_a_snapshot_needs_no_environment(run: Run, options: tuple[str, ...]) -> None:
    ended = run("audit", "--snapshot", "clinic.json", *options)
    assert ended.code == 2
    assert f"--snapshot and {options[0]} exclude each other" in ended.err


def test_a_snapshot_that_is_not_there(run: Run) -> None:
    ended = run("audit", "--snapshot", "clinic.json")
    assert ended.code == 2
    assert "clinic.json cannot be read" in ended.err


def test_another_organization_than_expected(audit: Audited, run: Run) -> None:
    assert audit("--expect-organization", "Contoso Dental").code == 5
    audit("--save", "clinic.json")
    assert run("audit", "--snapshot", "clinic.json", "--expect-organization", "Contoso Dental").code == 5
    assert run("audit", "--snapshot", "clinic.json", "--expect-organization", "Contoso Health").code == 4


@pytest.mark.parametrize(("days", "code"), [(1, 0), (-1, 4)])
def test_waivers(audit: Audited, tmp_path: Path, days: int, code: int) -> None:
    day = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
    (tmp_path / "waivers.yaml").write_text(WAIVERS.format(subject="workstream:Patient chat", day=day))
    ended = audit("--waivers", "waivers.yaml", "--format", "json")
    assert ended.code == code
    assert len(ended.json["waived"]) == (days > 0)


def test_a_waiver_of_what_was_not_looked_for_is_not_unused(audit: Audited, tmp_path: Path) -> None:
    (tmp_path / "waivers.yaml").write_text(WAIVERS.format(subject="workstream:Patient chat", day="2999-01-01"))
    assert audit("--waivers", "waivers.yaml", "--only", "R01", "--format", "json").json["waivers"] == []


def test_people_are_masked(audit: Audited) -> None:
    for form in ("text", "json", "markdown"):
        assert "nurse.one" not in audit("--redact", "--format", form).out.lower()


def test_rules_that_cannot_be_read_are_told_and_decide_nothing(at: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    (row,) = emulator.sql("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset WHERE msdyn_name LIKE 'Patient%'")
    emulator.change("msdyn_decisionruleset", str(row[0]), msdyn_rulesetdefinition=BROKEN)
    ended = at("audit", "--format", "json")
    assert ended.code == 4
    assert ("R15", "workstream:Patient chat") in found(ended)
    undecided = {each["id"] for each in ended.json["not_checked"] if "cannot decide" in each["reason"]}
    assert {"R01", "R05", "R06", "R08", "R09", "R10", "R11", "R13", "R14"} <= undecided
    assert not undecided & set(ended.json["passed"])


def _write(client: Client) -> None:
    """What nobody who only looks may do."""
    path = f"queues({names.NURSES})"
    client.send([[Request("PATCH", path, {"If-Match": "*"}, {"description": "Altered by a reader"})]])


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """Every client a command makes: what something faulty inside it could get hold of."""
    made: list[Client] = []
    begin = Client.__init__

    def remembered(self: Client, *args: Any, **settings: Any) -> None:
        begin(self, *args, **settings)
        made.append(self)

    monkeypatch.setattr(Client, "__init__", remembered)
    return made


@pytest.fixture
def faulty(clients: list[Client], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A kind and a check that write through the client of the command that runs them; which of them tried."""
    tried: list[str] = []
    understand = Queues.from_rows

    def faulty_kind(self: Queues, rows: Any) -> Iterator[Any]:
        tried.append("kind")
        _write(clients[-1])
        return understand(self, rows)

    def faulty_check(_seen: Seen) -> Iterator[Finding]:
        tried.append("check")
        _write(clients[-1])
        return iter(())

    monkeypatch.setattr(Queues, "from_rows", faulty_kind)
    monkeypatch.setattr(checking, "checks", lambda: (checking.Registered("R12", faulty_check),))
    return tried


@pytest.mark.parametrize(
    ("command", "by"),
    [(("audit", "bot.yaml"), "check"), (("audit",), "check")]
    + [((command, "bot.yaml"), "kind") for command in ("verify", "plan")]
    + [(("simulate", "bot.yaml", "--live"), "kind")],
    ids=str,
)
def test_who_only_looks_cannot_write(
    run: Run, emulator: Emulator, faulty: list[str], command: tuple[str, ...], by: str
) -> None:
    before = emulator.sql("SELECT description, versionnumber FROM queue")
    ended = run(*command, "--url", emulator.url, **VALUES)
    assert faulty == [by]
    assert ended.code == 1
    assert "this client only reads; refused to send PATCH queues(" in ended.err
    assert emulator.sql("SELECT description, versionnumber FROM queue") == before
    assert not [request for request in emulator.requests if request.method == "PATCH"]
