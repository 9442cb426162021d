"""Whether a hand-off is ready: which link is broken, and what `verify` makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from d365setup.audit import Seen, audit
from d365setup.audit.readiness import Link, Readiness, readiness
from d365setup.audit.scope import part_of
from d365setup.cli import main
from d365setup.emulator import fixtures as names
from d365setup.playbook import Playbook, load_file
from d365setup.report import schema
from tests.kinds.site import SPECS
from tests.survey import rule_text
from tests.survey.site import Site, site

FOLDER = Path(__file__).parent.parent / "playbooks"
SHIPPED = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml") if path.name != "base.yaml")
BOT = "Contoso Health Bot"


@pytest.fixture(scope="module")
def _running() -> Iterator[Site]:
    with site("clinic") as found:
        yield found


@pytest.fixture
def clinic(_running: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A clinic of its own for each test, and none of our variables set but a token."""
    for name in [name for name in os.environ if name.startswith(("D365_", "AZURE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("D365_ACCESS_TOKEN", "made-up")
    monkeypatch.setenv("D365_GATE_DIR", str(tmp_path / "gates"))
    monkeypatch.chdir(tmp_path)
    _running.emulator.reset("clinic")
    fresh = Site(_running.emulator, _running.client)
    yield fresh
    fresh.session.close()


def shipped(name: str = "health-bot.yaml") -> Playbook:
    return load_file(FOLDER / name, SPECS, {}, {}, examples=True)


def called(here: Site, command: str, *args: str, name: str = "health-bot.yaml") -> Result:
    values = [f"--var={use.name}={use.value}" for use in shipped(name).variables]
    return CliRunner().invoke(main, [command, str(FOLDER / name), "--url", here.emulator.url, *values, *args])


def applied(here: Site, name: str = "health-bot.yaml") -> Site:
    result = called(here, "apply", "--yes", name=name)
    assert result.exit_code == 0, result.output
    return here


def looked(here: Site, name: str = "health-bot.yaml") -> Readiness:
    playbook = shipped(name)
    center, now = part_of(here.center(), playbook), datetime.now(UTC)
    return readiness(center, playbook, now, audit(Seen(center, now, playbook)))


def row(here: Site, entity_set: str, column: str, where: str) -> str:
    (found,) = here.rows(f"{entity_set}?$select={column}&$filter={where}")
    return str(found[column])


def bot_row(here: Site) -> str:
    return row(here, "systemusers", "systemuserid", f"lastname eq '{BOT}'")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_playbook_is_ready_and_has_nothing_serious(clinic: Site, name: str) -> None:
    applied(clinic, name)
    found = looked(clinic, name)
    assert found.paths
    assert [path.links for path in found.paths if not path.is_ready] == []
    assert {link.what for path in found.paths for link in path.links} == {
        "bot", "work stream", "rule", "queue", "people"
    }  # fmt: skip
    playbook = shipped(name)
    seen = Seen(part_of(clinic.center(), playbook), datetime.now(UTC), playbook)
    assert [each for each in audit(seen).findings if each.level != "info"] == []
    assert {each.id for each in audit(seen).unchecked if each.id.startswith("R")} == {"R20"}


def test_before_anything_is_applied_the_bot_is_missing(clinic: Site) -> None:
    (path,) = looked(clinic).paths
    assert [(link.what, link.state) for link in path.links] == [("bot", "broken")]
    assert looked(clinic).is_broken


def bot_disabled(here: Site) -> None:
    here.change("systemusers", bot_row(here), isdisabled=True)


def picked(here: Site) -> None:
    here.change("msdyn_liveworkstreams", names.PATIENT_CHAT, msdyn_workdistributionmode=192350001)


def everybody_to_nurses(here: Site) -> None:
    rules = row(here, "msdyn_decisionrulesets", "msdyn_decisionrulesetid", "contains(msdyn_name,'Patient chat')")
    here.set_rules(rules, rule_text.text([rule_text.rule("All", None, rule_text.sends(names.NURSES))]))


def nobody_there(here: Site) -> None:
    for person in here.rows(f"queues({names.NURSES})/queuemembership_association?$select=systemuserid"):
        here.remove_member(names.NURSES, person["systemuserid"])


def all_disabled(here: Site) -> None:
    for person in here.rows(f"queues({names.NURSES})/queuemembership_association?$select=systemuserid"):
        here.change("systemusers", person["systemuserid"], isdisabled=True)


def queue_inactive(here: Site) -> None:
    here.change("queues", names.NURSES, statecode=1, statuscode=2)


def unknown_operator(here: Site) -> None:
    rules = row(here, "msdyn_decisionrulesets", "msdyn_decisionrulesetid", "contains(msdyn_name,'Patient chat')")
    bots = row(here, "queues", "queueid", "name eq 'Health bot'")
    strange = rule_text.compares("BotHandOffTopic", "sounds-like", "nurse")
    routes = [rule_text.rule("Strange", strange, rule_text.sends(names.NURSES))]
    here.set_rules(rules, rule_text.text([*routes, rule_text.rule("Bot", None, rule_text.sends(bots))]))


BREAKS: list[tuple[Callable[[Site], None], str, str]] = [
    (bot_disabled, "bot", "broken"),
    (picked, "work stream", "broken"),
    (nobody_there, "queue", "broken"),
    (all_disabled, "people", "broken"),
    (queue_inactive, "queue", "broken"),
    (unknown_operator, "work stream", "unknown"),
]


@pytest.mark.parametrize(("act", "what", "state"), BREAKS, ids=[act.__name__ for act, _, _ in BREAKS])
def test_the_first_link_that_is_not_well(clinic: Site, act: Callable[[Site], None], what: str, state: str) -> None:
    applied(clinic)
    act(clinic)
    found = looked(clinic)
    (path,) = found.paths
    wrong = [link for link in path.links if link.state != "ok"]
    first = next((link for link in wrong if link.state == "broken"), wrong[0])
    assert (first.what, first.state) == (what, state), path.links
    assert first.why
    assert path.first_broken in (first, None)
    assert not path.is_ready
    assert found.is_broken is (state == "broken")


def test_a_bot_that_no_rule_leads_to(clinic: Site) -> None:
    applied(clinic)
    everybody_to_nurses(clinic)
    (path,) = looked(clinic).paths
    assert [(link.what, link.state) for link in path.links] == [("bot", "ok"), ("work stream", "unknown")]
    clinic.remove_member(row(clinic, "queues", "queueid", "name eq 'Health bot'"), bot_row(clinic))
    assert [link.state for link in looked(clinic).paths[0].links] == ["ok", "broken"]


# -- verify ----------------------------------------------------------------------------------------------------------


def waived(*findings: str, expires: str = "2099-12-31", things: str = "queue:*") -> str:
    items = (
        f"  - {{finding: {each}, object: '{things}', reason: the ward moves, owner: ops, expires: {expires}}}\n"
        for each in findings
    )
    Path("waivers.yaml").write_text("waivers: 1\nitems:\n" + "".join(items), encoding="utf-8")
    return "--waivers=waivers.yaml"


def verified(here: Site, *args: str) -> tuple[int, dict[str, object]]:
    result = called(here, "verify", "--format", "json", *args)
    document = json.loads(result.stdout)
    jsonschema.validate(document, json.loads(schema("verification")))
    assert document["exit_code"] == result.exit_code
    return result.exit_code, document


def test_verify_tells_of_readiness_at_its_end(clinic: Site) -> None:
    applied(clinic)
    code, document = verified(clinic)
    assert (code, document["readiness"]["ready"]) == (0, True)  # type: ignore[index]  # JSON
    text = called(clinic, "verify").stdout
    assert "Readiness\n  Patient chat: Contoso Health Bot, scenario Escalate to nurse\n    ok       bot " in text
    assert text.index("in line: ") < text.index("Readiness") < text.index("found on the way: 0 errors")


def test_verify_asks_little_more_than_before(clinic: Site) -> None:
    applied(clinic)
    clinic.emulator.reset_log()
    called(clinic, "verify")
    assert len(clinic.emulator.requests) <= 12
    assert {request.method for request in clinic.emulator.requests} <= {"GET", "POST"}  # a POST is a $batch of reads


def test_no_drift_and_a_broken_link(clinic: Site) -> None:
    applied(clinic)
    clinic.change("systemusers", names.fixed_id("systemuser", "nurse.one@contoso.example"), msdyn_capacity=20)
    clinic.change("systemusers", names.fixed_id("systemuser", "nurse.two@contoso.example"), msdyn_capacity=20)
    code, document = verified(clinic)
    assert (code, document["in_line"]) == (4, True)
    (path,) = document["readiness"]["paths"]  # type: ignore[index]  # JSON
    assert (path["ready"], path["first_broken"]) == (False, "people")
    assert path["links"][-1]["findings"] == ["R31"]
    assert [each["id"] for each in document["findings"]["errors"]] == ["R31"]  # type: ignore[index]  # JSON
    text = called(clinic, "verify").stdout
    assert "not ready: the first broken link is the people Nurses" in text
    assert "error    R31" in text


def test_what_is_waived_does_not_fail(clinic: Site) -> None:
    applied(clinic)
    for nurse in ("nurse.one", "nurse.two"):
        clinic.change("systemusers", names.fixed_id("systemuser", f"{nurse}@contoso.example"), msdyn_capacity=20)
    code, document = verified(clinic, waived("R31"))
    assert code == 0
    assert document["findings"]["errors"][0]["waived"] is True  # type: ignore[index]  # JSON
    assert "waived   people" in called(clinic, "verify", "--waivers=waivers.yaml").stdout
    code, document = verified(clinic, waived("R31", expires="2026-01-01"))
    assert code == 4
    assert [each["level"] for each in document["findings"]["waivers"]] == ["error"]  # type: ignore[index]  # JSON
    code, document = verified(clinic, waived("R31", "R09"))
    assert (code, [each["level"] for each in document["findings"]["waivers"]]) == (0, ["warning"])  # type: ignore[index]  # JSON


def test_drift_comes_first(clinic: Site) -> None:
    applied(clinic)
    nobody_there(clinic)
    assert verified(clinic)[0] == 3


def test_a_file_of_waivers_with_a_mistake(clinic: Site) -> None:
    Path("waivers.yaml").write_text("waivers: 1\nitems:\n  - {finding: R99}\n", encoding="utf-8")
    for command in ("verify", "plan"):
        clinic.emulator.reset_log()
        result = called(clinic, command, "--waivers=waivers.yaml")
        assert result.exit_code == 2
        assert "waivers.yaml:3:15: 'finding': 'R99' is no finding" in result.stderr
        assert "the file of waivers cannot be used" in result.stderr
        assert clinic.emulator.requests == []
    assert called(clinic, "verify", "--waivers=none.yaml").exit_code == 2


def test_a_plan_tells_which_waivers_have_expired(clinic: Site) -> None:
    applied(clinic)
    assert called(clinic, "plan", waived("R31")).exit_code == 0
    result = called(clinic, "plan", waived("R31", expires="2026-01-01"))
    assert result.exit_code == 4
    assert "waivers.yaml:3:5: waiver:R31: the waiver of R31 for queue:* expired on 2026-01-01 (ops)" in result.stdout


def test_people_are_masked_in_readiness_too(clinic: Site) -> None:
    applied(clinic)
    text = called(clinic, "verify", "--redact").stdout
    assert "Nurse Two" not in text
    assert BOT in text


def test_a_link_knows_whether_it_breaks() -> None:
    assert Link("queue", "Nurses", "broken").breaks
    assert not Link("queue", "Nurses", "broken", waived=True).breaks
    assert not Link("queue", "Nurses", "unknown").breaks
