"""Which way to sign in is taken: the order, the names, what each way needs."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from d365setup.cli.signin import SECRETS, WAYS, Call, Choice, chosen, tokens
from d365setup.dataverse.auth import ClientSecret, StaticToken
from d365setup.dataverse.auth.device import SAMPLE_CLIENT, DeviceCode
from d365setup.dataverse.auth.federation import Federated
from d365setup.dataverse.auth.managed import ManagedIdentity
from d365setup.errors import UsageError

URL = "https://contoso.crm.dynamics.com"
OURS = {"D365_TENANT_ID": "one.example", "D365_CLIENT_ID": "id-one", "D365_CLIENT_SECRET": "canary-one"}
THEIRS = {"AZURE_TENANT_ID": "two.example", "AZURE_CLIENT_ID": "id-two", "AZURE_CLIENT_SECRET": "canary-two"}
GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://a.example/?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary"}
PIPELINES = {"SYSTEM_OIDCREQUESTURI": "https://b.example", "SYSTEM_ACCESSTOKEN": "canary"}

# In the order they are documented, each with what turns it on (certificates need a file: see test_auth_certificate).
ORDER: dict[str, dict[str, str]] = {
    "an access token": {"D365_ACCESS_TOKEN": "made-up"},
    "a client secret": {"D365_CLIENT_SECRET": "canary"},
    "a federated token file": {"D365_FEDERATED_TOKEN_FILE": "a"},
    "a managed identity": {"D365_MANAGED_IDENTITY": "system"},
    "a device code": {"D365_DEVICE_CODE": "1"},
    "a client secret (AZURE_)": {"AZURE_CLIENT_SECRET": "canary"},
    "a federated token file (AZURE_)": {"AZURE_FEDERATED_TOKEN_FILE": "a"},
    "GitHub Actions": GITHUB,
    "Azure Pipelines": {**PIPELINES, "D365_SERVICE_CONNECTION_ID": "c"},
    "Azure Pipelines (of an Azure task)": {**PIPELINES, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c"},
}
SOURCES = {
    "an access token": StaticToken,
    "a client secret": ClientSecret,
    "a managed identity": ManagedIdentity,
    "a device code": DeviceCode,
}


def choice(variables: dict[str, str], *, device_code: bool = False) -> Choice:
    return chosen(Call({"D365_CLIENT_ID": "id-one", **variables}, URL, device_code=device_code))


@pytest.mark.parametrize("title", ORDER)
def test_each_way_alone(title: str) -> None:
    found = choice(ORDER[title])
    assert found.title == title
    assert isinstance(found.source, SOURCES.get(title.partition(" (")[0], Federated))
    assert len(found.others) == len(WAYS) - 1
    assert all("not set" in why or "not given" in why for _, why in found.others)
    assert "canary" not in repr(found)


@pytest.mark.parametrize(("first", "second"), list(combinations(ORDER, 2)))
def test_of_two_the_documented_first_is_taken_and_the_other_is_told(first: str, second: str) -> None:
    found = choice({**ORDER[second], **ORDER[first]})
    assert found.title == first
    assert f"but {first} comes first" in dict(found.others)[second]


def test_the_option_comes_before_every_variable() -> None:
    every = {name: value for needs in ORDER.values() for name, value in needs.items()}
    assert choice(every, device_code=True).title == "a device code (--device-code)"


def test_the_documented_order_is_the_order() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text(encoding="utf-8")
    table = page.partition("## The order")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert len(rows) == len(WAYS)
    for row, way in zip(rows, WAYS, strict=True):
        assert f"| {way.title} |" in row
        assert all(f"`{name}`" in row for name in way.needs)


def signed_in(variables: dict[str, str]) -> tuple[str, str, str]:
    source = tokens(variables, URL)
    assert isinstance(source, ClientSecret)
    assert "canary" not in repr(vars(source))
    return source.directory.authority().tenant, source.client_id, source._secret.reveal()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (OURS, ("one.example", "id-one", "canary-one")),
        (THEIRS, ("two.example", "id-two", "canary-two")),
        ({**THEIRS, **OURS}, ("one.example", "id-one", "canary-one")),
        ({**THEIRS, "D365_CLIENT_ID": "id-one"}, ("two.example", "id-one", "canary-two")),
        ({**THEIRS, "D365_CLIENT_SECRET": ""}, ("two.example", "id-two", "canary-two")),
        ({**OURS, "D365_ACCESS_TOKEN": ""}, ("one.example", "id-one", "canary-one")),
    ],
)
def test_which_names_win(variables: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert signed_in(variables) == expected


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, "https://login.microsoftonline.com"),
        ({"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"}, "https://login.microsoftonline.us"),
        (
            {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/", "D365_AUTHORITY": "https://login.example"},
            "https://login.example",
        ),
    ],
)
def test_which_sign_in_service(variables: dict[str, str], host: str) -> None:
    source = tokens({**OURS, **variables}, URL)
    assert isinstance(source, ClientSecret)
    assert source.directory.authority().host == host


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "no way to sign in is set"),
        ({"D365_CLIENT_SECRET": " "}, "D365_CLIENT_SECRET is set, but empty"),
        ({"D365_CLIENT_SECRET": "canary"}, "D365_CLIENT_ID is not set"),
        ({"D365_CLIENT_SECRET": "canary", "D365_CLIENT_ID": ""}, "D365_CLIENT_ID is set, but empty"),
        (GITHUB, "D365_CLIENT_ID is not set"),
        ({**OURS, "D365_AUTHORITY": "login"}, "the sign-in service's address must be like https://login."),
        ({**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://a.example", **THEIRS, "AZURE_CLIENT_SECRET": ""}, "https"),
        ({"D365_CLIENT_ID": "x", "D365_CERTIFICATE_PATH": "no.pem"}, "no.pem cannot be read: No such file"),
    ],
)
def test_what_lacks_or_is_wrong_is_named(variables: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        tokens(variables, URL)
    assert told in str(refused.value)
    assert "canary" not in str(refused.value)
    assert "docs/sign-in.md" in str(refused.value)


def test_a_person_needs_no_client_of_their_own() -> None:
    source = tokens({"D365_DEVICE_CODE": "1", "AZURE_CLIENT_ID": "a-pipeline"}, URL)
    assert isinstance(source, DeviceCode)
    assert source.client_id == SAMPLE_CLIENT


def test_what_a_person_is_told_goes_to_stderr_and_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Call({}, URL).tell("open the page\x1b[2J and enter AB12")
    assert capsys.readouterr() == ("", "open the page\\x1b[2J and enter AB12\n")


def test_every_variable_that_holds_a_secret_is_known_as_one() -> None:
    assert {
        "D365_ACCESS_TOKEN",
        "D365_CLIENT_SECRET",
        "AZURE_CLIENT_SECRET",
        "D365_CERTIFICATE_PASSWORD",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "SYSTEM_ACCESSTOKEN",
        "IDENTITY_HEADER",
        "MSI_SECRET",
        "D365_EVIDENCE_KEY_PASSWORD",
        "D365_HEALTHBOT_SECRET",
    } == SECRETS
