"""`--evidence` and `evidence verify`, as they are typed, against the emulator."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from d365setup.emulator import Emulator
from d365setup.evidence.records import documents
from d365setup.report import schema
from tests.cli.conftest import TOKEN, VALUES, Run
from tests.evidence.test_signing import private, public

LINE = Draft202012Validator(json.loads(schema("evidence")))


def told(path: str | Path) -> list[dict[str, Any]]:
    """The records of a file; each follows the published schema."""
    found = [json.loads(line) for line in Path(path).read_text(encoding="ascii").splitlines()]
    for each in found:
        LINE.validate(each)
    return found


def of(records: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [each for each in records if each["record"] == name]


def one(records: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = of(records, name)
    return found


def result(records: list[dict[str, Any]]) -> dict[str, Any]:
    return documents(records)["result"]


def test_a_plan_an_apply_and_a_look_in_one_folder(at: Run, run: Run, emulator: Emulator) -> None:
    printed = {}
    for command, *options in (
        ["plan"],
        ["apply", "--yes"],
        ["verify"],
        ["destroy", "--yes", "--allow-delete", "routing_rule:4"],
    ):
        printed[command] = at(command, *options, "--evidence", "kept", "--format", "json")
    taken_back = printed["destroy"].json["run"]
    printed["rollback"] = run(
        "rollback", taken_back, "--yes", "--url", emulator.url, "--evidence", "kept", "--format", "json", **VALUES
    )
    files = sorted(Path("kept").glob("*.jsonl"))
    assert [path.name.rsplit("-", 1)[1] for path in files] == [f"{command}.jsonl" for command in printed]
    for path, ended in zip(files, printed.values(), strict=True):
        records = told(path)
        assert result(records) == ended.json
        assert one(records, "end")["exit_code"] == ended.code
    looked = run("evidence", "verify", "kept", "--format", "json")
    assert looked.code == 0
    assert [each["previous"] and each["previous"]["file"] for each in looked.json["files"]] == [
        None,
        *(path.name for path in files[:-1]),
    ]


def test_what_it_tells_of_an_apply(at: Run, emulator: Emulator) -> None:
    ended = at("apply", "--yes", "--evidence", "a.jsonl", "--format", "json", "--var", "bot_email=b@contoso.example")
    assert ended.code == 0
    records = told("a.jsonl")
    call = one(records, "call")
    assert (call["command"], call["redacted"]) == ("apply", False)
    assert call["options"] == {
        "playbook": "bot.yaml",
        "--yes": True,
        "--url": emulator.url,
        "--evidence": "a.jsonl",
        "--format": "json",
        "--var": ["bot_email"],
    }
    environment = one(records, "environment")
    assert environment["url"] == emulator.url
    assert environment["organization_id"] == ended.json["environment"]["organization_id"]
    identity = one(records, "identity")
    assert identity["sign_in"] == "an access token"
    assert emulator.sql("SELECT count(*) FROM systemuser WHERE systemuserid = ?", [identity["user_id"]]) == [(1,)]
    source = one(records, "input")
    assert source["digest"] == hashlib.sha256(Path("bot.yaml").read_bytes()).hexdigest()
    assert [each["value"]["key"] for each in of(records, "item") if each["list"] == "changes"] == [
        each["key"] for each in ended.json["changes"]
    ]
    assert {each["value"]["status"] for each in of(records, "item") if each["list"] == "outcomes"} == {"verified"}


def test_every_request_is_told_with_both_ids(at: Run, emulator: Emulator) -> None:
    at("apply", "--yes", "--evidence", "a.jsonl")
    records = told("a.jsonl")
    requests = of(records, "request")
    assert one(records, "requests")["sent"] == len(requests) == len(emulator.requests)
    assert all(each["client_request_id"] and each["service_request_id"] for each in requests)
    assert {each["status"] for each in requests} == {200}
    assert sum(each["operations"] for each in requests) == result(records)["http"]["operations"]


def test_a_saved_plan_is_an_input(at: Run, run: Run, emulator: Emulator) -> None:
    assert at("plan", "--out", "plan.json").code == 3
    ended = run("apply", "plan.json", "--yes", "--url", emulator.url, "--evidence", "a.jsonl", D365_ACCESS_TOKEN=TOKEN)
    assert ended.code == 0
    inputs = {each["role"]: each for each in of(told("a.jsonl"), "input")}
    assert set(inputs) == {"saved plan", "playbook"}
    assert inputs["saved plan"]["digest"] == hashlib.sha256(Path("plan.json").read_bytes()).hexdigest()


def test_an_audit_tells_its_findings_and_what_it_was_made_from(run: Run, emulator: Emulator) -> None:
    Path("waivers.yaml").write_text("waivers: 1\nitems: []\n", encoding="utf-8")
    options = ("--waivers", "waivers.yaml", "--format", "json")
    seen = run("audit", "--url", emulator.url, "--save", "snap.json", "--evidence", "a.jsonl", *options, **VALUES)
    kept = run("audit", "--snapshot", "snap.json", "--evidence", "b.jsonl", "--evidence-after", "a.jsonl", *options)
    assert (seen.code, kept.code) == (4, 4), seen.err + kept.err
    live, saved = told("a.jsonl"), told("b.jsonl")
    assert result(live) == seen.json
    assert result(saved) == kept.json
    findings = [each["value"] for each in of(saved, "item") if each["list"] == "findings"]
    assert findings == kept.json["findings"]
    assert findings
    digests = {each["role"]: each["digest"] for each in of(saved, "input")}
    names = {"waivers": "waivers.yaml", "snapshot": "snap.json"}
    assert digests == {role: hashlib.sha256(Path(name).read_bytes()).hexdigest() for role, name in names.items()}
    assert one(live, "identity")["user_id"]
    assert one(saved, "identity") | {"user_id": "", "sign_in": ""} == one(saved, "identity")
    assert one(saved, "environment")["organization_id"] == one(live, "environment")["organization_id"]
    assert run("evidence", "verify", "a.jsonl", "b.jsonl").code == 0


def test_a_command_that_fails_leaves_evidence_too(at: Run) -> None:
    ended = at("apply", "--yes", "--expect-organization", "Somebody else", "--evidence", "a.jsonl", "--format", "json")
    assert ended.code == 5
    records = told("a.jsonl")
    assert result(records) == ended.json
    assert one(records, "end")["exit_code"] == 5


def test_what_was_planned_is_told_when_nothing_came_of_it(at: Run) -> None:
    assert at("apply", "--evidence", "a.jsonl").code == 5  # nobody to ask
    found = documents(told("a.jsonl"))
    assert list(found) == ["earlier plan", "result"]
    assert len(found["earlier plan"]["changes"]) == 11
    assert found["result"]["schema"] == "d365setup/error/1"


def test_redacted_evidence_has_no_people(at: Run, emulator: Emulator) -> None:
    nurse = "nurse.one@contoso.example"
    (name,) = emulator.sql("SELECT fullname FROM systemuser WHERE internalemailaddress = ?", [nurse])[0]
    text = Path("bot.yaml").read_text(encoding="utf-8")
    Path("bot.yaml").write_text(
        text.replace("[Contoso Health Bot]", f"[Contoso Health Bot, {nurse}]"), encoding="utf-8"
    )
    assert at("plan", "--evidence", "open.jsonl").code == at("plan", "--redact", "--evidence", "masked.jsonl").code == 3
    shown = Path("open.jsonl").read_text(encoding="ascii")
    assert nurse in shown
    assert name in shown
    masked = Path("masked.jsonl").read_text(encoding="ascii")
    assert nurse not in masked
    assert name not in masked
    assert "person-" in masked
    assert one(told("masked.jsonl"), "call")["redacted"] is True


SECRETS = {
    "D365_ACCESS_TOKEN": "canary-token",
    "D365_CLIENT_SECRET": "canary-secret",
    "D365_CERTIFICATE_PASSWORD": "canary-certificate",
    "D365_EVIDENCE_KEY_PASSWORD": "canary-password",
    "AZURE_CLIENT_SECRET": "canary-azure",
    "SYSTEM_ACCESSTOKEN": "canary-pipeline",
}


@pytest.mark.parametrize("how", ["ends", "refused", "no-such-file", "bad-address"])
def test_no_secret_gets_into_evidence(how: str, run: Run, emulator: Emulator) -> None:
    Path("key.pem").write_bytes(private("p256", "canary-password"))
    text = Path("bot.yaml").read_text(encoding="utf-8")
    Path("bot.yaml").write_text(text.replace("\nvariables:\n", "\nvariables:\n  bot_password: {default: x}\n", 1))
    url = emulator.url.replace("://", "://canary-user:canary-word@") if how == "bad-address" else emulator.url
    file = "none.yaml" if how == "no-such-file" else "bot.yaml"
    more = ("--expect-organization", "other") if how == "refused" else ()
    arguments = (
        "--url",
        url,
        "--var",
        "bot_password=canary-variable",
        "--evidence",
        "a.jsonl",
        "--sign-key",
        "key.pem",
    )
    ended = run("plan", file, *arguments, *more, **{**VALUES, **SECRETS})
    assert ended.code == {"ends": 3, "refused": 5}.get(how, 2)
    kept = Path("a.jsonl").read_bytes() + Path("a.jsonl.sig").read_bytes()
    assert b"canary" not in kept
    assert b"PRIVATE KEY" not in kept
    assert one(told("a.jsonl"), "call")["options"]["--var"] == ["bot_password"]


def test_no_playbook_reads_the_password_of_the_key(at: Run) -> None:
    text = Path("bot.yaml").read_text(encoding="utf-8")
    named = "\nvariables:\n  stolen: {env: D365_EVIDENCE_KEY_PASSWORD}\n"
    Path("bot.yaml").write_text(text.replace("\nvariables:\n", named, 1).replace("First line", "${stolen} line"))
    ended = at("plan", D365_EVIDENCE_KEY_PASSWORD="canary")
    assert ended.code == 2
    assert "canary" not in ended.out + ended.err


@pytest.mark.skipif(os.name != "posix", reason="looks at POSIX modes")
def test_only_the_owner_can_read_it(at: Run) -> None:
    Path("key.pem").write_bytes(private("ed25519"))
    assert at("plan", "--evidence", "kept", "--sign-key", "key.pem").code == 3
    files = [path for path in Path("kept").iterdir() if path.name != ".lock"]
    assert sorted(path.suffix for path in files) == [".jsonl", ".sig"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(Path("kept").stat().st_mode) == 0o700


def test_a_signed_one_holds_with_its_key_and_with_no_other(at: Run, run: Run) -> None:
    Path("key.pem").write_bytes(private("rsa", "a password"))
    Path("public.pem").write_bytes(public("rsa"))
    Path("other.pem").write_bytes(public("p256"))
    signed = at("plan", "--evidence", "a.jsonl", "--sign-key", "key.pem", D365_EVIDENCE_KEY_PASSWORD="a password")
    assert signed.code == 3
    ended = run("evidence", "verify", "a.jsonl", "--public-key", "public.pem")
    assert ended.code == 0
    assert "the signature is valid)" in ended.out
    assert ended.out.endswith("1 file as sealed and signed\n")
    assert run("evidence", "verify", "a.jsonl", "--public-key", "other.pem").code == 4
    unchecked = run("evidence", "verify", "a.jsonl")
    assert unchecked.code == 0
    assert "it is signed; --public-key checks by whom" in unchecked.out


@pytest.mark.parametrize(
    ("key", "password", "message"),
    [
        (b"no key", "", "key.pem holds no private key"),
        (private("p256", "right"), "wrong", "D365_EVIDENCE_KEY_PASSWORD does not open it"),
        (None, "", "key.pem cannot be read: No such file or directory"),
    ],
)
def test_a_bad_key_is_told_before_anything_is_sent(
    key: bytes | None, password: str, message: str, at: Run, emulator: Emulator
) -> None:
    if key is not None:
        Path("key.pem").write_bytes(key)
    ended = at("apply", "--yes", "--evidence", "a.jsonl", "--sign-key", "key.pem", D365_EVIDENCE_KEY_PASSWORD=password)
    assert ended.code == 2
    assert message in ended.err
    assert not emulator.requests
    assert not Path("a.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--evidence", "no/such/a.jsonl"), "--evidence no/such/a.jsonl cannot be written: No such file or directory"),
        (("--evidence", "bot.yaml"), "--evidence bot.yaml is there already, and evidence is not written over"),
        (("--evidence-after", "a.jsonl"), "--evidence-after goes with --evidence"),
        (("--sign-key", "key.pem"), "--sign-key goes with --evidence"),
        (("--evidence", "a.jsonl", "--evidence-after", "none"), "none cannot be read: No such file or directory"),
        (("--evidence", "a.jsonl", "--evidence-after", "bot.yaml"), "bot.yaml cannot be followed: it is no evidence"),
        (("--evidence", "kept", "--evidence-after", "a.jsonl"), "--evidence-after goes with a file"),
    ],
)
def test_a_call_that_cannot_work_is_told_before_anything_is_sent(
    options: tuple[str, ...], message: str, at: Run, emulator: Emulator
) -> None:
    ended = at("apply", "--yes", *options)
    assert ended.code == 2
    assert message in ended.err
    assert not emulator.requests


def test_altered_evidence_is_not_followed(at: Run, emulator: Emulator) -> None:
    assert at("plan", "--evidence", "a.jsonl").code == 3
    Path("a.jsonl").write_bytes(Path("a.jsonl").read_bytes().replace(b"Nurses", b"Purses", 1))
    emulator.reset_log()
    ended = at("apply", "--yes", "--evidence", "b.jsonl", "--evidence-after", "a.jsonl")
    assert ended.code == 5
    assert "a.jsonl was altered after it was sealed, and is not followed: bytes " in ended.err
    assert not emulator.requests


def test_one_file_after_another(at: Run, run: Run) -> None:
    assert at("plan", "--evidence", "a.jsonl").code == 3
    assert at("verify", "--evidence", "b.jsonl", "--evidence-after", "a.jsonl").code == 3
    assert run("evidence", "verify", "a.jsonl", "b.jsonl").code == 0
    backwards = run("evidence", "verify", "b.jsonl", "a.jsonl")
    assert backwards.code == 4
    assert "unchained   a.jsonl\n    it begins a chain of its own, and does not follow b.jsonl" in backwards.out


def test_evidence_that_can_no_longer_be_written(at: Run) -> None:
    """Its name is taken while the apply is under way: here by the lease, which stands in the same place."""
    ended = at("apply", "--yes", "--evidence", "a.jsonl", "--lease", "a.jsonl")
    assert ended.code == 1
    assert "\n11 verified, 2 unchanged\n" in ended.out
    assert "error: the evidence a.jsonl could not be written: --evidence a.jsonl is there already" in ended.err
    assert "the run itself is done (11 verified); its journal is 2" in ended.err
    again = at("plan", "--evidence", "b.jsonl", "--out", "b.jsonl")
    assert again.code == 1
    assert "; the command itself ended as shown\n" in again.err


def test_an_altered_byte_is_named(at: Run, run: Run) -> None:
    assert at("plan", "--evidence", "a.jsonl").code == 3
    data = Path("a.jsonl").read_bytes()
    place = data.index(b'"key":"Health bot"')
    Path("a.jsonl").write_bytes(data.replace(b'"key":"Health bot"', b'"key":"Healthy bo"', 1))
    start = data.rindex(b"\n", 0, place) + 1
    line = data[:place].count(b"\n") + 1
    ended = run("evidence", "verify", "a.jsonl", "--format", "json")
    assert ended.code == 4
    assert ended.json["files"][0]["alteration"] == {
        "start": start,
        "end": data.index(b"\n", place) + 1,
        "line": line,
        "what": "change queue:Healthy bo was altered",
    }
    assert f"    bytes {start}.." in run("evidence", "verify", "a.jsonl").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bot.yaml",), "it is no evidence: no line in it was sealed"),
        (("none.jsonl",), "none.jsonl cannot be read: No such file or directory"),
        ((".",), ". holds no evidence: `--evidence .` writes it there"),
        (("bot.yaml", "--public-key", "bot.yaml"), "bot.yaml holds no public key"),
        ((), "Missing argument 'FILE|DIR...'"),
    ],
)
def test_what_cannot_be_looked_at(arguments: tuple[str, ...], message: str, run: Run) -> None:
    ended = run("evidence", "verify", *arguments)
    assert ended.code == 2
    assert message in ended.out + ended.err
