"""The account of an export: what the playbook has, what stays untouched; printed, reported, sealed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.exporting.driver import Exported, export
from tests.report.published import check
from tests.survey.site import Site


@pytest.fixture
def filled(here: Site) -> Site:
    """A queue with somebody who can be listed and somebody who cannot, and a bot."""
    people = [
        here.make_person("nora.quist@contoso.example"),
        here.make_person("former.one@contoso.example", disabled=True),
    ]
    queue = here.make_queue("Nurses", members=people, hours=here.make_hours("Office hours"))
    here.make_bot("Good bot", queue=queue, msdyn_botprovider=192350001, accessmode=4)
    return here


def account(found: Exported) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(found.out)
    check(value)
    return value


def test_it_names_what_is_in_the_playbook_and_what_is_not(filled: Site) -> None:
    found = export(filled.emulator, "--queue", "Nurses", "--out", "new.yaml", "--format", "json")
    assert (found.code, found.err) == (0, "")
    told = account(found)
    content = Path("new.yaml").read_bytes()
    assert told["playbook"] == {
        "name": "contoso-health", "sha256": hashlib.sha256(content).hexdigest(), "file": "new.yaml",
    }  # fmt: skip
    assert (told["result"], told["part"]) == ("written", {"queue": ["Nurses"]})
    assert told["environment"]["url"] == filled.emulator.url
    assert {f"{each['kind']}:{each['key']}" for each in told["things"]} == {
        "bot_user:Good bot", "role_assignment:Good bot/Omnichannel agent", "queue:Nurses",
        "queue_member:Nurses/Good bot", "queue_member:Nurses/nora.quist@contoso.example",
    }  # fmt: skip
    assert told["proof"] == {"changes": 0, "unchanged": len(told["things"])}
    assert {(each["key"], each["state"]) for each in told["untouched"]} == {
        ("Nurses", "in part"), ("Nurses/former.one@contoso.example", "left out"),
    }  # fmt: skip
    assert set(told["variables"]) == {"bot_application_id", "health_bot_id"}


def test_reports_stand_beside_a_playbook_on_stdout(filled: Site) -> None:
    found = export(filled.emulator, "--report", "it.json", "--report", "it.md", "--report", "it.html")
    assert found.code == 0
    assert found.playbook.name == "contoso-health"
    told = json.loads(Path("it.json").read_text(encoding="utf-8"))
    check(told)
    assert (told["result"], told["playbook"]["file"]) == ("printed", None)
    assert told["playbook"]["sha256"] == hashlib.sha256(found.out.encode()).hexdigest()
    for file in ("it.md", "it.html"):
        assert "Office hours" in Path(file).read_text(encoding="utf-8")
    assert "queue:Nurses: Its operating hours 'Office hours' stay as they are" in found.err


def test_people_are_masked_in_the_account_and_named_in_the_playbook(filled: Site) -> None:
    found = export(filled.emulator, "--out", "new.yaml", "--redact", "--format", "json", "--evidence", "it.jsonl")
    assert found.code == 0, found.err
    sealed = Path("it.jsonl").read_text(encoding="utf-8")
    for text in (found.out, sealed):
        assert "person-1" in text
        assert "quist" not in text.lower()
        assert "former" not in text.lower()
    assert "nora.quist@contoso.example" in Path("new.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [("--format", "json"), ("--format", "markdown"), ("--redact",)])
def test_stdout_holds_one_thing(options: tuple[str, ...], here: Site) -> None:
    here.emulator.reset_log()
    found = export(here.emulator, *options)
    assert found.code == 2
    assert "say with --out FILE where the playbook goes" in found.out + found.err
    assert here.emulator.requests == []


def test_an_update_has_an_account_too(filled: Site) -> None:
    first = export(filled.emulator, "--queue", "Nurses", "--out", "new.yaml")
    variables = [f"--var={name}={value}" for name, value in first.named.items()]
    again = account(export(filled.emulator, "--update", "new.yaml", "--format", "json", *variables))
    assert (again["result"], again["playbook"]["file"]) == ("in line already", "new.yaml")
    filled.change("queues", filled.rows("queues?$filter=name eq 'Nurses'")[0]["queueid"], msdyn_priority=7)
    updated = account(export(filled.emulator, "--update", "new.yaml", "--format", "json", *variables))
    assert (updated["result"], updated["variables"]) == ("updated", {})  # the file has its own already
    assert updated["playbook"]["sha256"] == hashlib.sha256(Path("new.yaml").read_bytes()).hexdigest()
    assert updated["playbook"]["sha256"] != again["playbook"]["sha256"]


def test_evidence_says_what_was_exported_of_which_environment(filled: Site) -> None:
    found = export(filled.emulator, "--out", "new.yaml", "--evidence", "it.jsonl")
    assert found.code == 0, found.err
    records = [json.loads(line) for line in Path("it.jsonl").read_text(encoding="utf-8").splitlines()]
    by_name = {each["record"]: each for each in records}
    assert by_name["call"]["command"] == "export"
    assert by_name["environment"]["url"] == filled.emulator.url
    assert by_name["identity"]["user_id"]
    (document,) = [each for each in records if each["record"] == "document"]
    assert document["document"]["playbook"]["sha256"] == hashlib.sha256(Path("new.yaml").read_bytes()).hexdigest()
    assert {"things", "untouched"} <= set(document["lists"])


def test_what_is_not_proved_is_told_in_the_form_that_was_asked_for(filled: Site) -> None:
    filled.make_workstream("Chat", fallback=filled.rows("queues?$filter=name eq 'Nurses'")[0]["queueid"])
    text = """\
playbook: 1
name: x
queues: [{name: Nurses, existing: true}]
workstreams:
  - name: Chat
    routing_rules:
      - {name: Gone, queue: Nurses}
tests:
  - {name: The rule is met, given: {}, expect: {rule: Gone}}
"""
    Path("it.yaml").write_text(text, encoding="utf-8")
    found = export(filled.emulator, "--update", "it.yaml", "--format", "json", "--evidence", "it.jsonl")
    assert found.code == 1
    told = account(found)
    assert "first mend what names things that are gone" in told["message"]
    assert [each["message"] for each in told["problems"] if "{name: The rule is met" in each["message"]] != []
    assert Path("it.yaml").read_text(encoding="utf-8") == text
    assert '"exit_code":1' in Path("it.jsonl").read_text(encoding="utf-8")


def test_an_update_names_variables_of_its_file_only(filled: Site) -> None:
    first = export(filled.emulator, "--queue", "Nurses", "--out", "new.yaml")
    text = Path("new.yaml").read_text(encoding="utf-8")
    for name, value in first.named.items():
        text = text.replace(f"'${{{name}}}'", value)
    Path("new.yaml").write_text(text.partition("variables:")[0] + text[text.index("bot_users:") :], encoding="utf-8")
    found = export(filled.emulator, "--update", "new.yaml", "--report", "it.json")
    assert found.code == 0, found.err
    assert "for .env" not in found.out
    assert json.loads(Path("it.json").read_text(encoding="utf-8"))["variables"] == {}
