"""Waivers: read strictly, applied to the day, and honest about those that expired or that nothing needs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup import waivers
from d365setup.audit import Audit, Finding, Subject, Unchecked
from d365setup.center import ContactCenter
from d365setup.errors import UsageError, WaiversError

TODAY = date(2026, 11, 23)
ONE = """waivers: 1
items:
  - finding: R03
    object: queue:Nurses
    reason: The ward moves.
    owner: ops@contoso.example
    expires: 2027-03-31
"""


def read(text: str | bytes) -> waivers.Waivers:
    return waivers.loaded(text if isinstance(text, bytes) else text.encode(), "waivers.yaml")


def told(text: str | bytes) -> list[str]:
    with pytest.raises(WaiversError) as caught:
        read(text)
    return [str(each) for each in caught.value.mistakes]


def item(finding: str = "R03", thing: str = "queue:Nurses", expires: str = "2027-03-31") -> str:
    return f'  - {{finding: {finding}, object: "{thing}", reason: because, owner: ops, expires: {expires}}}\n'


def of(*items: str) -> waivers.Waivers:
    return read("waivers: 1\nitems:\n" + "".join(items))


def found(code: str = "R03", key: str = "Nurses", kind: str = "queue") -> Finding:
    return Finding(code, "error", Subject(kind, key), "it is wrong")


def audited(*findings: Finding, passed: tuple[str, ...] = ("R03", "R12"), unchecked: tuple[str, ...] = ()) -> Audit:
    return Audit(ContactCenter(), findings, tuple(Unchecked(each, "not read") for each in unchecked), passed)


def test_one_waiver() -> None:
    (waiver,) = read(ONE).items
    assert (waiver.finding, waiver.object, waiver.owner) == ("R03", "queue:Nurses", "ops@contoso.example")
    assert (waiver.expires, waiver.source.line) == ("2027-03-31", 3)


@pytest.mark.parametrize("day", ["2027-03-31", "'2027-03-31'", '"2027-03-31"'])
def test_a_date_needs_no_quotes_and_may_have_them(day: str) -> None:
    assert of(item(expires=day)).items[0].expires == "2027-03-31"


def test_none_at_all() -> None:
    assert read("waivers: 1\nitems: []\n").items == ()


MISTAKES = [
    ("", "1:1: the file is empty: a file of waivers starts with `waivers: 1`"),
    ("- a\n", "1:1: this file is no map: a file of waivers starts with `waivers: 1`"),
    ("items: []\n", "1:1: `waivers: 1` is missing: a file of waivers starts with `waivers: 1`"),
    (
        "waivers: 2\nitems: []\n",
        "1:10: this is no format that this version reads: a file of waivers starts with `waivers: 1`",
    ),
    ("waivers: true\nitems: []\n", "1:10: this is no format that this version reads"),
    ("waivers: 1\n", "1:1: 'items' is missing"),
    ("waivers: 1\nitem: []\nitems: []\n", "2:1: a file of waivers has no key 'item'; did you mean 'items'?"),
    ("waivers: 1\nitems: {}\n", "2:8: 'items' must be a list"),
    ("waivers: 1\nitems: [a]\n", "2:9: item 1 of 'items' must be a map"),
    (f"waivers: 1\nitems:\n{item('R3')}", "3:15: 'finding': 'R3' is no finding; did you mean R03?"),
    (f"waivers: 1\nitems:\n{item('R99')}", "'R99' is no finding; did you mean"),
    (f"waivers: 1\nitems:\n{item('drift')}", "'drift' is no finding"),
    (f"waivers: 1\nitems:\n{item('0x80040220')}", "0x80040220"),
    (f"waivers: 1\nitems:\n{item(thing='Nurses')}", "names no object: write it as findings print it"),
    (f"waivers: 1\nitems:\n{item(thing='*')}", "names no object"),
    (f"waivers: 1\nitems:\n{item(thing='queue:N*s')}", "has a * before its end"),
    (f"waivers: 1\nitems:\n{item(expires='tomorrow')}", "is no date: write the last day it holds"),
    (f"waivers: 1\nitems:\n{item(expires='2027-02-30')}", "is no date"),
    (f"waivers: 1\nitems:\n{item(expires='2027-3-1')}", "2027-3-1"),
    (f"waivers: 1\nitems:\n{item(expires='20270301')}", "'expires' must be text"),
    (f"waivers: 1\nitems:\n{item()}{item()}", "4:5: R03 is waived twice for 'queue:Nurses' (first on line 3)"),
    (ONE.replace("    owner: ops@contoso.example\n", ""), "'owner' is missing in this waiver"),
    (ONE.replace("ops@contoso.example", ""), "6:11: 'owner' has no value"),
    (ONE + "    until: 2027\n", "a waiver has no key 'until'"),
    (ONE + "    owner: ops\n", "'owner' stands here twice"),
    (ONE.replace("The ward moves.", "'  '"), "begins or ends with white space"),
    (ONE.replace("The ward moves.", "x" * 1001), "is longer than 1000 characters"),
    (ONE.replace("queue:Nurses", "queue:" + "x" * 500), "is longer than 500 characters"),
    ("waivers: 1\nitems: [\n", "is not closed"),
    ("waivers: 1\n---\nwaivers: 1\n", "a second document starts here"),
    (b"\xff\xfe\x00", "UTF-16"),
    (b"waivers: \xff", "not UTF-8"),
    (b"#" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ("waivers: 1\nitems: !!python/object:os.system {}\n", "tags are not allowed"),
]


@pytest.mark.parametrize(("text", "part"), MISTAKES, ids=lambda value: repr(value)[:40])
def test_each_mistake_is_told_with_its_place(text: str | bytes, part: str) -> None:
    every = told(text)
    assert any(part in each for each in every), every
    assert all(each.startswith("waivers.yaml:") for each in every)


def test_a_playbook_still_asks_for_quotes_around_a_date() -> None:
    from d365setup.errors import PlaybookError  # noqa: PLC0415  # next to what it is about
    from d365setup.playbook import load  # noqa: PLC0415  # as above

    with pytest.raises(PlaybookError, match="can be read as a date"):
        load("playbook: 1\nname: x\ndescription: 2027-03-31\n", {}, {})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            waivers.load(path)
    (tmp_path / "waivers.yaml").write_text(ONE, encoding="utf-8")
    assert waivers.load(tmp_path / "waivers.yaml").items[0].source.file.endswith("waivers.yaml")


# -- applied ---------------------------------------------------------------------------------------------------------


def test_a_waived_finding_stays_and_does_not_count() -> None:
    result = waivers.apply(audited(found(), found("R12")), read(ONE), TODAY)
    assert [each.id for each in result.findings] == ["R03", "R12"]
    assert [each.id for each in result.open] == ["R12"]
    waived = result.findings[0].waived
    assert waived is not None
    assert (waived.reason, waived.owner, waived.until) == ("The ward moves.", "ops@contoso.example", "2027-03-31")
    assert (result.waivers, result.exit_code) == ((), 4)
    assert waivers.apply(audited(found()), read(ONE), TODAY).exit_code == 0


@pytest.mark.parametrize(("days", "code"), [(-400, 0), (-1, 0), (0, 0), (1, 4), (400, 4)])
def test_it_holds_to_the_end_of_its_last_day(days: int, code: int) -> None:
    result = waivers.apply(audited(found()), read(ONE), date(2027, 3, 31) + timedelta(days=days))
    assert result.exit_code == code
    assert [each.level for each in result.waivers] == (["error"] if code else [])
    assert bool(result.open) is bool(code)


def test_an_expired_one_fails_though_nothing_is_found() -> None:
    result = waivers.apply(audited(), of(item(expires="2020-01-01")), TODAY)
    assert result.exit_code == 4
    assert "expired on 2020-01-01 (ops): no finding needs it any more; take it out" in result.waivers[0].message
    assert result.waivers[0].source.line == 3


def test_an_unused_one_is_told_and_does_not_fail() -> None:
    result = waivers.apply(audited(), read(ONE), TODAY)
    assert [each.level for each in result.waivers] == ["warning"]
    assert result.exit_code == 0


BACKUP = "backup.json (a backup)"


@pytest.mark.parametrize("expires", ["2027-03-31", "2026-01-31"])
@pytest.mark.parametrize(
    ("thing", "against", "is_told"),
    [
        ("scenario:Escalate", "", False),
        ("scenario:*", "", False),
        ("health_bot:contoso", "", False),
        ("queue:Nurses", "", True),
        ("scenario:Escalate", BACKUP, True),
        ("health_bot:contoso", BACKUP, True),
        ("queue:Nurses", BACKUP, False),
    ],
)
def test_only_who_sees_all_findings_of_an_object_says_that_none_needs_a_waiver(
    thing: str, against: str, is_told: bool, expires: str
) -> None:
    seen = replace(audited(), against=against)
    judged = waivers.apply(seen, of(item(thing=thing, expires=expires)), TODAY)
    assert bool(judged.waivers) is is_told


def test_a_finding_of_the_bots_side_is_waived_by_an_audit_too_and_its_end_told() -> None:
    seen = audited(found(key="Escalate", kind="scenario"))
    held = waivers.apply(seen, of(item(thing="scenario:Escalate")), TODAY)
    assert (held.open, held.waivers) == ((), ())
    ended = waivers.apply(seen, of(item(thing="scenario:Escalate", expires="2026-01-31")), TODAY)
    (trouble,) = ended.waivers
    assert trouble.level == "error"
    assert "what it covered counts again" in trouble.message


@pytest.mark.parametrize("seen", [audited(passed=("R12",)), audited(passed=(), unchecked=("R03",))])
def test_one_whose_finding_was_not_looked_for_is_not_called_unused(seen: Audit) -> None:
    assert waivers.apply(seen, read(ONE), TODAY).waivers == ()


@pytest.mark.parametrize(
    ("thing", "key", "covers"),
    [
        ("queue:Nurses", "Nurses", True),
        ("queue:Nurses", "nurses", False),
        ("queue:Nurses", "Nurses 2", False),
        ("queue:Nurses*", "Nurses 2", True),
        ("queue:Nurses*", "Nurses", True),
        ("queue:*", "Billing", True),
        ("user:*", "Billing", False),
        ("queue:a*", "a*", True),
        ("queue:[ab]", "a", False),
    ],
)
def test_objects(thing: str, key: str, covers: bool) -> None:
    result = waivers.apply(audited(found(key=key)), of(item(thing=thing)), TODAY)
    assert (result.findings[0].waived is not None) is covers


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["R03", "R12"]), st.text("ab", min_size=1, max_size=3)), max_size=6))
def test_nothing_is_lost_and_only_what_is_named_is_waived(things: list[tuple[str, str]]) -> None:
    before = audited(*(found(code, key) for code, key in things))
    result = waivers.apply(before, of(item("R03", "queue:a*")), TODAY)
    assert [(each.id, each.subject) for each in result.findings] == [
        (each.id, each.subject) for each in before.findings
    ]
    for each in result.findings:
        assert (each.waived is not None) is (each.id == "R03" and each.subject.key.startswith("a"))


def test_the_schema_takes_what_loads_and_refuses_what_does_not() -> None:
    check = jsonschema.Draft202012Validator(waivers.json_schema())
    jsonschema.Draft202012Validator.check_schema(waivers.json_schema())
    document = yaml.safe_load(ONE.replace("2027-03-31", "'2027-03-31'"))
    assert list(check.iter_errors(document)) == []
    for change in ({"waivers": 2}, {"items": None}, {"more": 1}):
        assert list(check.iter_errors({**document, **change}))
    (one,) = document["items"]
    for key, value in (("finding", "r3"), ("object", "Nurses"), ("expires", "soon"), ("reason", ""), ("owner", 1)):
        assert list(check.iter_errors({**document, "items": [{**one, key: value}]})), key
        assert list(check.iter_errors({**document, "items": [{k: v for k, v in one.items() if k != key}]})), key
    assert json.loads(json.dumps(waivers.json_schema())) == waivers.json_schema()
