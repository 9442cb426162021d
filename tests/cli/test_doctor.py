"""`d365setup doctor`: against the emulator, as callers with different roles, and where nothing works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client, Request
from d365setup.emulator import Emulator, Fault, Options, entra
from tests.cli.conftest import APPLICATION, VALUES, Ended, Run

NURSE = "nurse.one@contoso.example"


def checks(ended: Ended) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in ended.json["checks"]}


def only_reads(emulator: Emulator) -> bool:
    return all(op[0] == "GET" for request in emulator.requests for op in request.operations)


def test_all_is_well(at: Run, emulator: Emulator) -> None:
    emulator.reset_log()
    ended = at("doctor", "--format", "json")
    assert ended.code == 0
    found = ended.json
    assert found["missing_privileges"] == []
    assert found["environment"]["name"] == "Contoso Health"
    assert re.fullmatch(r"9\.2\.[0-9.]+", found["environment"]["version"])
    assert found["caller"]["roles"] == ["System Administrator"]
    assert found["sign_in"]["taken"] == "an access token"
    assert {"way": "a managed identity", "because": "D365_MANAGED_IDENTITY is not set"} in found["sign_in"]["not_taken"]
    assert "msdyn_OmnichannelBase" in {each["unique_name"] for each in found["solutions"]}
    assert all(each["version"] for each in found["solutions"])
    verdicts = {name: each["verdict"] for name, each in checks(ended).items()}
    assert verdicts == {
        "environment": "ok",
        "sign-in": "ok",
        "organization": "ok",
        "Omnichannel": "ok",
        "clock": "ok",
        "expiry": "unknown",
        "privileges": "ok",
        "Health Bot": "unknown",
    }
    assert only_reads(emulator)


def test_without_a_playbook_and_as_text(run: Run, emulator: Emulator) -> None:
    ended = run("doctor", "--url", emulator.url, **VALUES)
    assert ended.code == 0
    assert "signing in with an access token, because D365_ACCESS_TOKEN is set" in ended.out
    assert "    not with a client secret: D365_CLIENT_SECRET is not set" in ended.out
    assert ended.out.endswith("\nnothing stands in the way\n")
    assert "privileges" not in ended.out


def test_with_the_built_in_emulator(run: Run) -> None:
    ended = run("doctor", "bot.yaml", "--emulator", "--format", "json")
    assert ended.code == 0
    assert ended.json["sign_in"]["taken"] == "no sign-in"


# -- the Health Bot ----------------------------------------------------------------------------------------------------


def bot_of(emulator: Emulator, tenant: str = "contoso-bot-ab12cd3") -> dict[str, str]:
    """Variables that lead to a bot on the emulator, which has it from then on."""
    secret = emulator.health_bot.secret
    return {"D365_HEALTHBOT_SECRET": secret, "D365_HEALTHBOT_PORTAL": emulator.health_bot.portal(emulator.url, tenant)}


def test_the_bot_answers(at: Run, emulator: Emulator) -> None:
    variables = bot_of(emulator)
    ended = at("doctor", "--format", "json", **variables)
    assert ended.code == 0
    found = checks(ended)["Health Bot"]
    assert found["verdict"] == "ok"
    count = len(emulator.health_bot.bots.exports("contoso-bot-ab12cd3"))
    assert found["message"] == (
        f"{variables['D365_HEALTHBOT_PORTAL']} answers, takes the secret, and shows its {count} scenarios"
    )
    assert [each.method for each in emulator.health_bot.requests] == ["GET"]
    assert only_reads(emulator)


def test_without_its_secret_the_bot_is_not_checked(at: Run, emulator: Emulator) -> None:
    ended = at("doctor")
    assert ended.code == 0
    (line,) = [each for each in ended.out.splitlines() if "Health Bot" in each and each.startswith("unknown")]
    assert line.endswith("/account/contoso-bot-ab12cd3 is not checked: its secret is not known")
    assert "    next: set D365_HEALTHBOT_SECRET to the bot's API_JWT_SECRET" in ended.out
    assert not emulator.health_bot.requests


WRONG = {
    "another secret": ({"D365_HEALTHBOT_SECRET": "of-another-bot"}, "refused the token", "API_JWT_SECRET of this very"),
    "another tenant": ({"D365_HEALTHBOT_PORTAL": "/account/nobody"}, "there is no Health Bot nobody", "portal link"),
    "no link": ({"D365_HEALTHBOT_PORTAL": "contoso-bot"}, "'contoso-bot' is no portal link", "docs/healthbot.md"),
    "a strange host": (
        {"D365_HEALTHBOT_PORTAL": "https://bots.contoso.example/account/x"},
        "none of Microsoft's hosts",
        "docs/healthbot.md",
    ),
    "a token of Dataverse for Azure": (
        {"D365_HEALTHBOT_SECRET": "", "D365_HEALTHBOT_RESOURCE_ID": "/subscriptions/" + APPLICATION},
        "cannot read the bot's secret from Azure",
        "docs/healthbot.md",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("variables", "told", "cure"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_the_bot(
    variables: dict[str, str], told: str, cure: str, at: Run, emulator: Emulator
) -> None:
    given = {name: emulator.url + value if value.startswith("/account") else value for name, value in variables.items()}
    ended = at("doctor", "--format", "json", **{**bot_of(emulator), **given})
    assert ended.code == 6
    found = checks(ended)["Health Bot"]
    assert found["verdict"] == "error"
    assert told in found["message"]
    assert cure in found["next"]
    assert emulator.health_bot.secret not in ended.out + ended.err


def test_the_bot_is_looked_at_where_dataverse_is_closed(run: Run, emulator: Emulator) -> None:
    ended = run("doctor", "--url", "https://127.0.0.1:1", "--format", "json", **VALUES, **bot_of(emulator))
    assert ended.code == 6
    found = {name: each["verdict"] for name, each in checks(ended).items()}
    assert (found["environment"], found["Health Bot"]) == ("error", "ok")


def test_another_organization_is_refused(run: Run, emulator: Emulator) -> None:
    ended = run("doctor", "--url", emulator.url, "--expect-organization", "Fabrikam", **VALUES)
    assert ended.code == 5


# -- privileges --------------------------------------------------------------------------------------------------------


class Office:
    """An emulator whose users can be told apart, and given roles."""

    def __init__(self, emulator: Emulator, run: Run) -> None:
        self.emulator, self._run = emulator, run

    def give(self, role: str) -> None:
        """The nurse gets this role and loses all others."""
        with Client(self.emulator.url, StaticToken("admin")) as client:
            columns, where = "systemuserid,_businessunitid_value", f"internalemailaddress%20eq%20'{NURSE}'"
            (user,) = client.rows(f"systemusers?$select={columns}&$filter={where}")
            at = f"systemusers({user['systemuserid']})/systemuserroles_association"
            held = client.rows(f"{at}?$select=roleid")
            unit = f"_businessunitid_value%20eq%20{user['_businessunitid_value']}"
            (wanted,) = client.rows(f"roles?$select=roleid&$filter=name%20eq%20'{role}'%20and%20{unit}")
            drop = [Request("DELETE", f"{at}({each['roleid']})/$ref") for each in held]
            body = {"@odata.id": f"{client.service_root}roles({wanted['roleid']})"}
            for request in [*drop, Request("POST", f"{at}/$ref", body=body)]:
                (outcome,) = client.send([[request]])
                assert outcome.error is None
                assert outcome.replies[0].error is None
        self.emulator.reset_log()

    def __call__(self, command: str, *args: str) -> Ended:
        variables = {**VALUES, "D365_ACCESS_TOKEN": "nurse"}
        return self._run(command, "bot.yaml", "--url", self.emulator.url, "--format", "json", *args, **variables)


@pytest.fixture
def office(run: Run) -> Iterator[Office]:
    found = Emulator(None, Options(users={"nurse": NURSE, "admin": "# d365setup pipeline"}))
    with found.serve():
        yield Office(found, run)
    found.close()


def refusals(office: Office) -> set[str]:
    """Privileges the service itself names when the plan is tried."""
    ended = office("apply", "--yes")
    return set(re.findall(r"is missing (\w+) privilege", ended.out))


def test_an_omnichannel_administrator_lacks_exactly_what_the_service_would_refuse(office: Office) -> None:
    office.give("Omnichannel administrator")
    ended = office("doctor")
    assert only_reads(office.emulator)
    missing = {each["privilege"]: each for each in ended.json["missing_privileges"]}
    assert set(missing) == refusals(office) == {"prvAppendToBusinessUnit"}
    assert missing["prvAppendToBusinessUnit"]["needed_for"] == ["bot_user:Contoso Health Bot"]
    assert missing["prvAppendToBusinessUnit"]["role"] == "System Administrator"
    assert ended.code == 6
    assert checks(ended)["roles"]["verdict"] == "warning"


def test_a_supervisor_cannot_even_read_all_of_it(office: Office) -> None:
    office.give("Omnichannel supervisor")
    ended = office("doctor")
    assert ended.code == 6
    missing = {each["privilege"]: each["role"] for each in ended.json["missing_privileges"]}
    assert {"prvReadmsdyn_decisionruleset", "prvReadmsdyn_routingconfiguration"} <= set(missing)
    assert set(missing.values()) == {"Omnichannel administrator"}
    assert checks(ended)["plan"]["verdict"] == "warning"
    assert refusals(office) <= set(missing)


def test_when_all_is_applied_an_administrator_of_omnichannel_lacks_nothing(office: Office) -> None:
    variables = {**VALUES, "D365_ACCESS_TOKEN": "admin"}
    assert office._run("apply", "bot.yaml", "--url", office.emulator.url, "--yes", **variables).code == 0
    office.give("Omnichannel administrator")
    ended = office("doctor")
    assert ended.code == 0
    assert ended.json["missing_privileges"] == []


def test_people_are_masked(office: Office) -> None:
    office.give("Omnichannel administrator")
    ended = office("doctor", "--redact")
    assert NURSE not in ended.out
    assert ended.json["caller"]["name"].startswith("person-")


# -- what cannot be told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name", "told"),
    [
        ("RetrieveUserPrivileges", "privileges", "cannot be read"),
        ("solutions", "Omnichannel", "cannot be read"),
        ("RetrieveCurrentOrganization", "organization", "does not tell"),
    ],
)
def test_what_the_environment_does_not_tell_is_said_not_to_be_known(
    path: str, name: str, told: str, at: Run, emulator: Emulator
) -> None:
    fault = Fault(path=path, status=403, code="0x80040220", message="Principal user is missing prvReadX", times=99)
    emulator.fail(fault)
    if name == "privileges":  # an administrator needs no list
        emulator.fail(Fault(path="systemuserroles_association", status=403, message="no", times=99))
    ended = at("doctor", "--format", "json")
    assert ended.code == 0
    assert checks(ended)[name]["verdict"] == "unknown"
    assert told in checks(ended)[name]["message"]


def test_no_omnichannel(at: Run, emulator: Emulator) -> None:
    message = "Resource not found for the segment 'msdyn_liveworkstreams'."
    for _ in range(9):
        emulator.fail(Fault(path="msdyn_liveworkstreams", status=404, code="0x80060888", message=message, times=99))
    ended = at("doctor", "--format", "json")
    assert ended.code == 6
    assert "not installed here" in checks(ended)["Omnichannel"]["message"]


# -- sign-in -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[entra.Entra]:
    with entra.serve(tmp_path_factory.mktemp("entra")) as found:
        yield found


def doctor(run: Run, tls: entra.Entra, **variables: str) -> Ended:
    given = {"D365_CLIENT_ID": entra.PIPELINE, "D365_CA_BUNDLE": str(tls.ca_bundle), **variables}
    return run("doctor", "--url", tls.url, "--max-wait", "0", "--format", "json", **given)


def test_it_tells_where_the_sign_in_went_and_why(run: Run, tls: entra.Entra) -> None:
    more = {"AZURE_CLIENT_SECRET": "canary", "D365_DEVICE_CODE": ""}
    ended = doctor(run, tls, D365_CLIENT_SECRET=entra.PIPELINE_SECRET, **more)
    assert ended.code == 0
    sign_in = ended.json["sign_in"]
    others = {each["way"]: each["because"] for each in sign_in["not_taken"]}
    assert sign_in["taken"] == "a client secret"
    assert sign_in["where"] == f"{tls.url}, tenant {entra.TENANT}"
    assert others["a client secret (AZURE_)"] == "AZURE_CLIENT_SECRET is set, but a client secret comes first"
    assert others["a device code"] == "D365_DEVICE_CODE is set, but empty"
    assert "app registration" in checks(ended)["expiry"]["message"]
    assert "canary" not in ended.out


def test_a_failed_sign_in_is_a_finding(run: Run, tls: entra.Entra) -> None:
    ended = doctor(run, tls, D365_CLIENT_SECRET="canary")
    assert ended.code == 6
    failed = checks(ended)["sign-in"]
    assert failed["verdict"] == "error"
    assert "AADSTS7000215" in failed["message"]
    assert "not its id" in failed["next"]
    assert "canary" not in ended.out


def test_an_application_no_environment_knows(run: Run, tls: entra.Entra) -> None:
    ended = doctor(run, tls, D365_CLIENT_ID=entra.STRANGER, D365_CLIENT_SECRET=entra.PIPELINE_SECRET)
    assert ended.code == 6
    assert checks(ended)["environment"]["next"] == "add the app registration as an application user of this environment"


def test_when_a_certificate_ends(run: Run, tls: entra.Entra, tmp_path: Path) -> None:
    made = entra.make_certificate("d365setup doctor")
    tls.register(entra.PIPELINE, made)
    (tmp_path / "app.pem").write_text(made.pem, encoding="utf-8")
    ended = doctor(run, tls, D365_CERTIFICATE_PATH=str(tmp_path / "app.pem"))
    assert f"the certificate ends on {made.x509.not_valid_after_utc:%Y-%m-%d}" in checks(ended)["expiry"]["message"]


def test_an_environment_out_of_reach(run: Run) -> None:
    ended = run(
        "doctor", "--url", "https://127.0.0.1:9", "--max-wait", "0", "--format", "json", D365_ACCESS_TOKEN="canary"
    )
    assert ended.code == 6
    assert checks(ended)["environment"]["verdict"] == "error"
    assert "no connection" in checks(ended)["environment"]["message"]
