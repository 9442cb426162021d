"""Calls that cannot work: each ends in a message a person understands, mostly exit 2, and nothing is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from d365setup.emulator import Emulator
from tests.cli.conftest import APPLICATION, BOT_ID, TOKEN, Run
from tests.report.published import check

VARIABLES = ["--var", f"bot_application_id={APPLICATION}", "--var", f"health_bot_id={BOT_ID}"]
BOTH = "say which environment: --url https://contoso.crm.dynamics.com (or D365_URL), or --emulator"
URL = "https://contoso.crm.dynamics.com"
SIGN_IN = "set D365_ACCESS_TOKEN, or D365_CLIENT_ID and D365_CLIENT_SECRET"


@dataclass(frozen=True)
class Case:
    call: list[str]
    told: list[str]
    code: int = 2
    variables: tuple[tuple[str, str], ...] = ()


def plan(*options: str, file: str = "bot.yaml") -> list[str]:
    return ["plan", file, *options]


CASES = {
    "no target": Case(plan(), [BOTH]),
    "both targets": Case(plan("--url", URL, "--emulator"), ["--url and --emulator exclude each other", BOTH]),
    "no address": Case(plan("--url", "contoso"), ["--url: 'contoso' is not an address like https://"]),
    "empty address": Case(plan("--url", ""), [BOTH]),
    "empty address, though the variable has one": Case(plan("--url", ""), [BOTH], variables=(("D365_URL", URL),)),
    "an organization without a name": Case(plan("--emulator", "--expect-organization", " "), ["would expect nothing"]),
    "no address in the variable": Case(plan(), ["D365_URL: 'x y' is not an address"], variables=(("D365_URL", "x y"),)),
    "plain http": Case(plan("--url", "http://contoso.example"), ["http:// would send the token unprotected"]),
    "password in the address": Case(plan("--url", "https://me:canary@contoso.example"), ["--url: "]),
    "address of a page": Case(plan("--url", URL + "/main.aspx"), ["give only the environment's address"]),
    "emulator data without emulator": Case(
        plan("--url", URL, "--emulator-data", "x.db"), ["--emulator-data goes with --emulator"]
    ),
    "no such file": Case(plan("--emulator", file="nope.yaml"), ["nope.yaml:1:1: the file 'nope.yaml' is not there"]),
    "a folder": Case(plan("--emulator", file="."), ["the file '.' is a folder, not a file"]),
    "no playbook": Case(["plan", "--emulator"], ["Missing argument 'PLAYBOOK'", "plan --help` shows how"]),
    "var without value": Case(plan("--emulator", "--var", "canary"), ["--var takes NAME=VALUE"]),
    "var without name": Case(plan("--emulator", "--var", "=x"), ["--var takes NAME=VALUE"]),
    "var given twice": Case(plan("--emulator", "--var", "a=1", "--var", "a=2"), ["--var a is given twice"]),
    "var nobody declared": Case(
        plan("--emulator", "--var", "bot_emial=x@contoso.example"), ["--var bot_emial: ", "did you mean 'bot_email'"]
    ),
    "var of a wrong format": Case(plan("--emulator", "--var", "health_bot_id=x"), ["health_bot_id", "GUID"]),
    "no value": Case(plan("--url", URL), ["the variable 'bot_application_id' has no value: say --var"]),
    "no sign-in": Case(plan("--url", URL, *VARIABLES), ["no way to sign in is set", SIGN_IN]),
    "empty secret": Case(
        plan("--url", URL, *VARIABLES),
        ["D365_CLIENT_SECRET is set, but empty", SIGN_IN],
        variables=(("D365_TENANT_ID", "contoso.example"), ("D365_CLIENT_ID", BOT_ID), ("D365_CLIENT_SECRET", " ")),
    ),
    "empty secret of the other name": Case(
        plan("--url", URL, *VARIABLES),
        ["AZURE_CLIENT_SECRET is set, but empty"],
        variables=(("AZURE_TENANT_ID", "contoso.example"), ("AZURE_CLIENT_ID", BOT_ID), ("AZURE_CLIENT_SECRET", "")),
    ),
    "a tenant that is none": Case(
        plan("--url", URL, *VARIABLES),
        ["the tenant must be an id or a domain"],
        variables=(("D365_TENANT_ID", "a/b"), ("D365_CLIENT_ID", BOT_ID), ("D365_CLIENT_SECRET", "canary")),
    ),
    "a token that is none": Case(
        plan("--url", URL, *VARIABLES),
        ["the access token is empty or holds characters no token has"],
        variables=(("D365_ACCESS_TOKEN", "canary with blanks"),),
    ),
    "no such bundle": Case(
        plan("--url", URL, *VARIABLES, "--ca-bundle", "no.pem"),
        ["the certificate bundle no.pem does not exist"],
        variables=(("D365_ACCESS_TOKEN", TOKEN),),
    ),
    "no time": Case(plan("--emulator", "--max-wait", "soon"), ["'soon' is no time; write it like 80ms"]),
    "not a number": Case(plan("--emulator", "--max-wait", "nan"), ["'nan' is no time"]),
    "another format": Case(plan("--emulator", "--format", "yaml"), ["'yaml' is not one of"]),
    "a report without a format": Case(
        plan("--emulator", "--report", "plan.doc"), ["can be .txt, .json, .md, .html, .xml or .sarif"]
    ),
    "a report nowhere": Case(plan("--emulator", "--report", "no/plan.json"), ["cannot be written: No such file"]),
    "an option of another command": Case(plan("--emulator", "--yes"), ["No such option '--yes'"]),
    "delete what": Case(
        ["apply", "bot.yaml", "--emulator", "--allow-delete", "members:3"], ["KIND:N", "queue_member", "members:3"]
    ),
    "delete how many": Case(["apply", "bot.yaml", "--emulator", "--allow-delete", "queue_member:x"], ["KIND:N"]),
    "a transaction of another sort": Case(
        ["apply", "bot.yaml", "--emulator", "--transaction", "all"], ["'all' is not one of"]
    ),
    "emulator data that is none": Case(
        plan("--emulator", "--emulator-data", "bot.yaml"), ["the emulator's data in bot.yaml: "]
    ),
    "emulator data in a file's place": Case(
        plan("--emulator", "--emulator-data", "bot.yaml/x.db"), ["the emulator's data in bot.yaml/x.db: "]
    ),
    "nobody there": Case(
        plan("--url", "http://127.0.0.1:1", "--max-wait", "0", *VARIABLES),
        ["no connection to http://127.0.0.1:1 could be made", "next: check the address"],
        code=6,
        variables=(("D365_ACCESS_TOKEN", TOKEN),),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_told(case: Case, run: Run) -> None:
    ended = run(*case.call, **dict(case.variables))
    assert ended.code == case.code
    assert ended.out == ""
    for told in case.told:
        assert told in ended.err
    assert "canary" not in ended.err
    assert "Traceback" not in ended.err
    assert not Path(".d365setup").exists()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_with_json_it_is_one_document(case: Case, run: Run) -> None:
    if "--format" in case.call:
        return
    ended = run(*case.call, "--format", "json", **dict(case.variables))
    assert ended.code == case.code
    assert ended.err == ""
    document = json.loads(ended.out)
    check(document)
    assert document["schema"] == "d365setup/error/1"
    assert document["exit_code"] == case.code
    assert "canary" not in ended.out


def test_an_emulator_asked_for_wins_over_an_address_that_happens_to_be_set(run: Run) -> None:
    assert run("plan", "bot.yaml", "--emulator", D365_URL="https://contoso.crm.dynamics.com").code == 3


def test_values_come_from_the_call_then_the_environment_then_the_file(run: Run, emulator: Emulator) -> None:
    dead = "http://127.0.0.1:1"
    values = {"BOT_APPLICATION_ID": APPLICATION, "HEALTH_BOT_ID": BOT_ID, "D365_ACCESS_TOKEN": TOKEN}
    lines = [f"D365_URL={emulator.url}", *(f"{name}={value}" for name, value in values.items())]
    Path(".env").write_text("\n".join(lines), encoding="utf-8")
    call = ("plan", "bot.yaml", "--max-wait", "0")
    assert run(*call).code == 3
    assert run(*call, D365_URL=dead).code == 6
    assert run(*call, "--url", emulator.url, D365_URL=dead).code == 3
    assert "'x' is not a GUID" in run(*call, HEALTH_BOT_ID="x").err


def test_a_dotenv_file_that_is_no_text(run: Run) -> None:
    Path(".env").write_bytes(b"D365_URL=\xff\xfe\x00")
    ended = run("plan", "bot.yaml", "--emulator")
    assert ended.code == 2
    assert "cannot be read as UTF-8 text" in ended.err
