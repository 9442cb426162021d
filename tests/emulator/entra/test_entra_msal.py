"""MSAL, unpatched, obtains tokens for each flow over TLS, and the environment takes them for the right user."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest
import requests

from d365setup.emulator import entra
from d365setup.emulator.entra.directory import TOKEN_EXCHANGE

from .conftest import Caller, Confidential, Public

NURSE = "nurse.one@contoso.example"
PIPELINE_USER = "# d365setup pipeline"


def granted(result: dict[str, Any]) -> str:
    assert "access_token" in result, result
    return str(result["access_token"])


def refused(result: dict[str, Any], number: int) -> str:
    assert "access_token" not in result
    assert result["error_codes"] == [number], result
    assert f"AADSTS{number}: " in result["error_description"]
    return str(result["error"])


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_secret(office: entra.Entra, caller: Caller, confidential: Confidential) -> None:
    app = confidential(entra.PIPELINE_SECRET)
    token = granted(app.acquire_token_for_client([f"{office.url}/.default"]))
    assert caller.user(token) == PIPELINE_USER
    assert granted(app.acquire_token_for_client([f"{office.url}/.default"])) == token, "from MSAL's cache"
    told = claims(token)
    assert (told["tid"], told["appid"], told["aud"]) == (entra.TENANT, entra.PIPELINE, office.url)
    assert told["idtyp"] == "app"
    assert told["nbf"] <= time.time() < told["exp"] <= told["iat"] + 3600


def test_msal_with_a_ca_file_of_its_own(office: entra.Entra, caller: Caller) -> None:
    """As a program does it: no session handed over, `verify` is the CA file."""
    app = msal.ConfidentialClientApplication(
        entra.PIPELINE,
        authority=office.authority,
        client_credential=entra.PIPELINE_SECRET,
        instance_discovery=False,
        verify=str(office.ca_bundle),
    )
    assert caller.user(granted(app.acquire_token_for_client([f"{office.url}/.default"]))) == PIPELINE_USER
    app.http_client.http_client.close()  # MSAL leaves its session open


def test_without_the_ca_file_there_is_no_connection(office: entra.Entra) -> None:
    with requests.Session() as session, pytest.raises(requests.exceptions.SSLError):
        msal.ConfidentialClientApplication(
            entra.PIPELINE, "x", authority=office.authority, instance_discovery=False, http_client=session
        )


def test_two_slashes_in_the_scope(office: entra.Entra, caller: Caller, confidential: Confidential) -> None:
    """A resource that ends with a slash, as the 401 names it: the audience then has the slash too."""
    token = granted(confidential(entra.PIPELINE_SECRET).acquire_token_for_client([f"{office.url}//.default"]))
    assert claims(token)["aud"] == f"{office.url}/"
    assert caller.user(token) == PIPELINE_USER


def test_instance_discovery_of_its_own(office: entra.Entra, caller: Caller, confidential: Confidential) -> None:
    address = f"{office.url}/common/discovery/instance"
    app = confidential(entra.PIPELINE_SECRET, instance_discovery=address)
    assert caller.user(granted(app.acquire_token_for_client([f"{office.url}/.default"]))) == PIPELINE_USER
    assert ("GET", "/common/discovery/instance", 200) in office.requests


def test_the_tenant_by_its_domain(office: entra.Entra, caller: Caller, confidential: Confidential) -> None:
    app = confidential(entra.PIPELINE_SECRET, authority=f"{office.url}/contoso.example")
    assert caller.user(granted(app.acquire_token_for_client([f"{office.url}/.default"]))) == PIPELINE_USER


def test_a_tenant_that_is_not_there(office: entra.Entra, confidential: Confidential) -> None:
    with pytest.raises(ValueError, match="check your tenant name or GUID"):
        confidential(entra.PIPELINE_SECRET, authority=f"{office.url}/nowhere.example")


@pytest.mark.parametrize("form", ["thumbprint", "sha256", "x5c", "encrypted", "pfx"])
def test_a_certificate(
    office: entra.Entra, caller: Caller, confidential: Confidential, tmp_path: Path, form: str
) -> None:
    made = entra.make_certificate("d365setup pipeline")
    office.register(entra.PIPELINE, made)
    pfx = tmp_path / "pipeline.pfx"
    pfx.write_bytes(made.pfx("open sesame"))
    credential = {
        "thumbprint": {"private_key": made.pem, "thumbprint": made.thumbprint},
        "sha256": {"private_key": made.pem, "public_certificate": made.certificate},
        "x5c": {"private_key": made.pem, "thumbprint": made.thumbprint, "public_certificate": made.certificate},
        "encrypted": {
            "private_key": made.encrypted_pem("open sesame"),
            "thumbprint": made.thumbprint,
            "passphrase": "open sesame",
        },
        "pfx": {"private_key_pfx_path": str(pfx), "passphrase": "open sesame"},
    }[form]
    token = granted(confidential(credential).acquire_token_for_client([f"{office.url}/.default"]))
    assert caller.user(token) == PIPELINE_USER
    assert claims(token)["appidacr"] == "2"


def test_a_certificate_nobody_registered(office: entra.Entra, confidential: Confidential) -> None:
    made = entra.make_certificate("d365setup pipeline")
    app = confidential({"private_key": made.pem, "thumbprint": made.thumbprint})
    result = app.acquire_token_for_client([f"{office.url}/.default"])
    assert refused(result, 700027) == "invalid_client"
    assert f"Thumbprint of key used by client: '{made.thumbprint}'" in result["error_description"]


def test_a_certificate_past_its_days(office: entra.Entra, confidential: Confidential) -> None:
    made = entra.make_certificate("d365setup pipeline", starts=-9, days=3)
    office.register(entra.PIPELINE, made)
    app = confidential({"private_key": made.pem, "thumbprint": made.thumbprint})
    result = app.acquire_token_for_client([f"{office.url}/.default"])
    refused(result, 700027)
    assert "The key used is expired." in result["error_description"]


def test_the_key_of_another_certificate(office: entra.Entra, confidential: Confidential) -> None:
    registered, other = entra.make_certificate("one"), entra.make_certificate("two")
    office.register(entra.PIPELINE, registered)
    app = confidential({"private_key": other.pem, "thumbprint": registered.thumbprint})
    result = app.acquire_token_for_client([f"{office.url}/.default"])
    refused(result, 700027)
    assert "did not match the expected signature value" in result["error_description"]


@pytest.mark.parametrize(
    ("name", "authority", "accepted"),
    [
        ("pipeline.contoso.example", "ours", True),
        ("other.example", "ours", False),
        ("pipeline.contoso.example", "theirs", False),
    ],
)
def test_subject_name_and_issuer(
    office: entra.Entra, caller: Caller, confidential: Confidential, name: str, authority: str, accepted: bool
) -> None:
    """A renewed certificate needs no registering: its name and its authority are what is trusted."""
    authorities = {each: entra.make_certificate(f"{each} authority") for each in ("ours", "theirs")}
    office.directory.authorities = (authorities["ours"].certificate,)
    office.directory.change(entra.PIPELINE, subject_names=("pipeline.contoso.example",))
    made = entra.make_certificate(name, issuer=authorities[authority])
    whole = {"private_key": made.pem, "thumbprint": made.thumbprint, "public_certificate": made.certificate}
    result = confidential(whole).acquire_token_for_client([f"{office.url}/.default"])
    if accepted:
        assert caller.user(granted(result)) == PIPELINE_USER
    else:
        refused(result, 700027)


def test_without_x5c_the_subject_name_is_of_no_use(office: entra.Entra, confidential: Confidential) -> None:
    authority = entra.make_certificate("authority")
    office.directory.authorities = (authority.certificate,)
    office.directory.change(entra.PIPELINE, subject_names=("pipeline.contoso.example",))
    made = entra.make_certificate("pipeline.contoso.example", issuer=authority)
    app = confidential({"private_key": made.pem, "thumbprint": made.thumbprint})
    refused(app.acquire_token_for_client([f"{office.url}/.default"]), 700027)


def github(place: entra.Workload) -> str:
    found = place.github()
    headers = {"Authorization": f"Bearer {found['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    url = f"{found['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={TOKEN_EXCHANGE}"
    return str(requests.get(url, headers=headers, timeout=10).json()["value"])


def pipelines(place: entra.Workload) -> str:
    found = place.azure_pipelines()
    headers = {"Authorization": f"Bearer {found['SYSTEM_ACCESSTOKEN']}"}
    connection = found["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"]
    url = f"{found['SYSTEM_OIDCREQUESTURI']}?api-version=7.1&serviceConnectionId={connection}"
    return str(requests.post(url, headers=headers, json={}, timeout=10).json()["oidcToken"])


@pytest.mark.parametrize("runner", [github, pipelines])
def test_a_runner_of_a_pipeline(
    office: entra.Entra, caller: Caller, confidential: Confidential, runner: Callable[[entra.Workload], str]
) -> None:
    with office.workload() as place:
        app = confidential({"client_assertion": lambda: runner(place)})
        assert caller.user(granted(app.acquire_token_for_client([f"{office.url}/.default"]))) == PIPELINE_USER


def test_a_token_file_as_in_kubernetes(
    office: entra.Entra, caller: Caller, confidential: Confidential, tmp_path: Path
) -> None:
    with office.workload() as place:
        found = place.kubernetes(tmp_path / "token")
    read = Path(found["AZURE_FEDERATED_TOKEN_FILE"]).read_text
    app = confidential(
        {"client_assertion": read},  # a function: MSAL asks anew each time
        found["AZURE_CLIENT_ID"],
        authority=found["AZURE_AUTHORITY_HOST"] + found["AZURE_TENANT_ID"],
    )
    assert caller.user(granted(app.acquire_token_for_client([f"{office.url}/.default"]))) == PIPELINE_USER


def test_a_runner_of_another_branch(office: entra.Entra, confidential: Confidential) -> None:
    with office.workload() as place:
        place.github_subject = "repo:contoso/omnichannel:ref:refs/heads/else"
        app = confidential({"client_assertion": lambda: github(place)})
        result = app.acquire_token_for_client([f"{office.url}/.default"])
    assert refused(result, 700213) == "invalid_client"
    assert "presented assertion subject 'repo:contoso/omnichannel:ref:refs/heads/else'" in result["error_description"]


@pytest.mark.parametrize("where", ["app_service", "virtual_machine"])
@pytest.mark.parametrize("whose", ["system", "client", "object"])
def test_a_managed_identity(
    office: entra.Entra,
    caller: Caller,
    sessions: Callable[[], requests.Session],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    whose: str,
) -> None:
    application = office.directory.applications[entra.PIPELINE]
    identity = {
        "system": msal.SystemAssignedManagedIdentity(),
        "client": msal.UserAssignedManagedIdentity(client_id=application.client_id),
        "object": msal.UserAssignedManagedIdentity(object_id=application.principal),
    }[whose]
    with office.workload() as place:
        for name, value in getattr(place, where)().items():
            monkeypatch.setenv(name, value)
        client = msal.ManagedIdentityClient(identity, http_client=sessions())
        assert caller.user(granted(client.acquire_token_for_client(resource=office.url))) == PIPELINE_USER


@pytest.mark.parametrize("where", ["app_service", "virtual_machine"])
def test_a_managed_identity_that_is_not_there(
    office: entra.Entra, sessions: Callable[[], requests.Session], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with office.workload() as place:
        for name, value in getattr(place, where)().items():
            monkeypatch.setenv(name, value)
        nobody = msal.UserAssignedManagedIdentity(client_id=entra.STRANGER)
        result = msal.ManagedIdentityClient(nobody, http_client=sessions()).acquire_token_for_client(
            resource=office.url
        )
    assert "access_token" not in result
    assert "dentity" in result["error_description"]


def test_a_device_code(office: entra.Entra, caller: Caller, public: Public) -> None:
    app = public()
    flow = app.initiate_device_flow([f"{office.url}/user_impersonation"])
    assert flow["user_code"] in flow["message"]
    assert flow["verification_uri"] in flow["message"]
    pending = app.acquire_token_by_device_flow(flow, exit_condition=lambda _flow: True)
    assert refused(pending, 70016) == "authorization_pending"
    office.approve(flow["user_code"], NURSE)
    flow["latest_attempt_at"] = 0  # MSAL would wait for its interval here
    result = app.acquire_token_by_device_flow(flow)
    token = granted(result)
    assert caller.user(token) == "Nurse One"
    assert claims(token)["scp"] == "user_impersonation"
    assert result["id_token_claims"]["preferred_username"] == NURSE
    assert [each["username"] for each in app.get_accounts()] == [NURSE]


def signed_in(office: entra.Entra, app: msal.PublicClientApplication) -> dict[str, Any]:
    flow = app.initiate_device_flow([f"{office.url}/user_impersonation"])
    office.approve(flow["user_code"], NURSE)
    return dict(app.acquire_token_by_device_flow(flow))


def test_a_refresh_token(office: entra.Entra, caller: Caller, public: Public) -> None:
    app = public()
    first = granted(signed_in(office, app))
    (account,) = app.get_accounts()
    scopes = [f"{office.url}/user_impersonation"]
    assert granted(app.acquire_token_silent(scopes, account)) == first, "still valid"
    second = granted(app.acquire_token_silent(scopes, account, force_refresh=True))
    assert second != first
    assert caller.user(second) == "Nurse One"


def test_tokens_outlive_the_process(office: entra.Entra, folder: Path, public: Public) -> None:
    """The signing key is kept: a cache on disk stays good."""
    token = granted(signed_in(office, public()))
    port = int(office.url.rpartition(":")[2])
    office.emulator.stop()
    with entra.serve(folder, port=port) as later:
        again = Caller(later)
        assert again.user(token) == "Nurse One"
        again.session.close()


@pytest.mark.parametrize("tenant", ["organizations", "common"])
def test_a_device_code_without_naming_the_tenant(
    office: entra.Entra, caller: Caller, public: Public, tenant: str
) -> None:
    app = public(authority=f"{office.url}/{tenant}")
    assert caller.user(granted(signed_in(office, app))) == "Nurse One"


def test_a_device_code_that_is_declined(office: entra.Entra, public: Public) -> None:
    app = public()
    flow = app.initiate_device_flow([f"{office.url}/.default"])
    office.decline(flow["user_code"])
    assert refused(app.acquire_token_by_device_flow(flow), 70017) == "authorization_declined"


@pytest.mark.parametrize("number", [70019, 70020])
def test_a_device_code_that_is_too_old(office: entra.Entra, public: Public, number: Any) -> None:
    office.directory.expired_device_code = number
    app = public()
    flow = app.initiate_device_flow([f"{office.url}/.default"])
    office.clock = lambda: time.time() + 901
    assert refused(app.acquire_token_by_device_flow(flow), number) == "expired_token"


def test_a_device_code_for_an_application_with_a_secret(office: entra.Entra, public: Public) -> None:
    assert refused(signed_in(office, public(entra.PIPELINE)), 7000218) == "invalid_client"


@pytest.mark.parametrize(
    ("client", "secret", "number", "error"),
    [
        (entra.PIPELINE, "wrong", 7000215, "invalid_client"),
        (entra.PIPELINE, "old", 7000222, "invalid_client"),
        (entra.PERSONAL, "any", 7000215, "invalid_client"),
        ("11111111-2222-4333-8444-555555555555", "any", 700016, "unauthorized_client"),
    ],
)
def test_refusals_reach_the_program(
    office: entra.Entra, confidential: Confidential, client: str, secret: str, number: int, error: str
) -> None:
    office.directory.change(entra.PIPELINE, secrets=(entra.Secret("old", time.time() - 60),))
    result = confidential(secret, client).acquire_token_for_client([f"{office.url}/.default"])
    assert refused(result, number) == error
    assert result["correlation_id"]


def test_another_environment(confidential: Confidential) -> None:
    result = confidential(entra.PIPELINE_SECRET).acquire_token_for_client(["https://other.crm.dynamics.com/.default"])
    assert refused(result, 500011) == "invalid_resource"
    assert (
        "https://other.crm.dynamics.com was not found in the tenant named Contoso Health" in result["error_description"]
    )


def test_an_application_the_environment_does_not_know(
    office: entra.Entra, caller: Caller, confidential: Confidential
) -> None:
    app = confidential(entra.PIPELINE_SECRET, entra.STRANGER)
    reply = caller.who(granted(app.acquire_token_for_client([f"{office.url}/.default"])))
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "0x80072560")
