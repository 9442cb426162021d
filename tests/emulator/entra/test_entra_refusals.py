"""Raw requests for every refusal: number, OAuth error and status, in Entra's JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from d365setup.emulator import entra
from d365setup.emulator.entra.certificates import new_key
from d365setup.emulator.entra.directory import TOKEN_EXCHANGE
from d365setup.emulator.entra.fixture import KUBERNETES

from .conftest import Caller

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOBODY = "11111111-2222-4333-8444-555555555555"
_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[entra.Entra]:
    """One for all: these tests change nothing but single applications, and put them back."""
    with entra.serve(folder) as made:
        yield made
        assert made.emulator.gateway.failures == []


@pytest.fixture(autouse=True)
def as_it_was(office: entra.Entra) -> Iterator[None]:
    before = dict(office.directory.applications)
    yield
    office.directory.applications.clear()
    office.directory.applications.update(before)
    office.clock = time.time


def refused(reply: requests.Response, status: int, number: int, error: str) -> str:
    told = reply.json()
    assert (reply.status_code, told["error_codes"], told["error"]) == (status, [number], error), told
    shape = (
        rf"AADSTS{number}: .+ Trace ID: {_GUID} Correlation ID: {_GUID} Timestamp: \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\dZ"
    )
    assert re.fullmatch(shape, told["error_description"], re.DOTALL), told
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= set(told)
    assert reply.headers["Content-Type"].startswith("application/json")
    assert "no-store" in reply.headers["Cache-Control"]
    assert "OData-Version" not in reply.headers
    return str(told["error_description"])


@pytest.mark.parametrize(
    ("changed", "status", "number", "error"),
    [
        ({"client_secret": "wrong"}, 401, 7000215, "invalid_client"),
        ({"client_secret": "ürong"}, 401, 7000215, "invalid_client"),
        ({"client_secret": ""}, 400, 7000216, "invalid_request"),
        ({"client_id": NOBODY}, 400, 700016, "unauthorized_client"),
        ({"client_id": ""}, 400, 900144, "invalid_request"),
        ({"grant_type": ""}, 400, 900144, "invalid_request"),
        ({"grant_type": "password"}, 400, 70003, "unsupported_grant_type"),
        ({"scope": ""}, 400, 900144, "invalid_request"),
        ({"scope": "https://other.crm.dynamics.com/.default"}, 400, 500011, "invalid_resource"),
        ({"scope": "https://127.0.0.1/.default"}, 400, 500011, "invalid_resource"),
        ({"scope": ".default"}, 400, 1002012, "invalid_scope"),
        ({"scope": "{url}/user_impersonation"}, 400, 1002012, "invalid_scope"),
        ({"scope": "{url}/.default {url}/other"}, 400, 1002012, "invalid_scope"),
        ({"client_assertion": "x"}, 400, 900144, "invalid_request"),
        ({"client_assertion": "x", "client_assertion_type": JWT_BEARER}, 400, 50027, "invalid_request"),
        ({"client_assertion": "a.b.c", "client_assertion_type": JWT_BEARER}, 400, 50027, "invalid_request"),
        ({"client_assertion": "a.b.c", "client_assertion_type": "saml"}, 400, 50027, "invalid_request"),
        ({"client_assertion": "x" * 20_000, "client_assertion_type": JWT_BEARER}, 400, 50027, "invalid_request"),
        ({"noise": "x" * 70_000}, 400, 9002313, "invalid_request"),
    ],
)
def test_requests_with_a_secret(caller: Caller, changed: dict[str, str], status: int, number: int, error: str) -> None:
    filled = {name: value.replace("{url}", caller.office.url) for name, value in changed.items()}
    refused(caller.secret(**filled), status, number, error)


@pytest.mark.parametrize(
    ("tenant", "number"),
    [
        ("99999999-2222-4333-8444-555555555555", 90002),
        ("fabrikam.example", 90002),
        ("not a tenant", 900023),
        ("-", 900023),
        ("x" * 300, 900023),
        ("common", 50059),
        ("organizations", 50059),
    ],
)
def test_tenants(caller: Caller, tenant: str, number: int) -> None:
    refused(caller.secret(tenant), 400, number, "invalid_request")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/v2.0/.well-known/openid-configuration"])
def test_the_configuration_of_a_tenant_that_is_not_there(caller: Caller, path: str) -> None:
    reply = caller.send("GET", f"/fabrikam.example{path}")
    assert "Tenant 'fabrikam.example' not found" in refused(reply, 400, 90002, "invalid_tenant")


def test_secrets_have_an_end(office: entra.Entra, caller: Caller) -> None:
    old, new = entra.Secret("old", time.time() - 1), entra.Secret("new", time.time() + 60)
    office.directory.change(entra.PIPELINE, secrets=(old, new))
    text = refused(caller.secret(client_secret="old"), 401, 7000222, "invalid_client")
    assert f"for app '{entra.PIPELINE}' are expired" in text
    assert caller.secret(client_secret="new").status_code == 200
    office.clock = lambda: time.time() + 61
    refused(caller.secret(client_secret="new"), 401, 7000222, "invalid_client")


def test_an_application_that_is_switched_off(office: entra.Entra, caller: Caller) -> None:
    office.directory.change(entra.PIPELINE, disabled=True)
    refused(caller.secret(), 400, 7000112, "unauthorized_client")


def test_the_client_id_in_capitals(caller: Caller) -> None:
    assert caller.secret(client_id=entra.PIPELINE.upper()).status_code == 200


def test_no_refusal_tells_the_secret(caller: Caller) -> None:
    for changed in ({"client_secret": "canary-7"}, {"client_secret": "canary-7", "scope": ""}):
        assert "canary" not in caller.secret(**changed).text
    assert "canary" not in str(caller.office.requests)
    assert entra.PIPELINE_SECRET not in repr(caller.office.directory)


def own(office: entra.Entra, made: entra.ClientCertificate, **changed: Any) -> str:
    """An assertion an application signs itself; a claim of None is left out."""
    now = int(time.time())
    claims = {
        "aud": f"{office.authority}/oauth2/v2.0/token",
        "iss": entra.PIPELINE,
        "sub": entra.PIPELINE,
        "nbf": now,
        "exp": now + 300,
    }
    told = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    thumb = bytes.fromhex(made.thumbprint)
    header = {"x5t": jwt.utils.base64url_encode(thumb).decode()}
    return jwt.encode(told, made.key, "RS256", header)


def proved(caller: Caller, assertion: str) -> requests.Response:
    return caller.secret(client_secret="", client_assertion=assertion, client_assertion_type=JWT_BEARER)


@pytest.mark.parametrize(
    ("changed", "number", "text"),
    [
        ({"aud": "https://login.microsoftonline.com/x"}, 700023, "audience claim"),
        ({"aud": ["a", "b"]}, 700023, "audience claim"),
        ({"iss": NOBODY}, 700021, "doesn't match 'client_id'"),
        ({"sub": NOBODY}, 700021, "doesn't match 'client_id'"),
        ({"exp": 1_000_000_000}, 700024, "expiry time of assertion 2001-09-09T01:46:40Z"),
        ({"nbf": 9_000_000_000}, 700024, "valid time range"),
        ({"exp": None}, 700024, "expiry time of assertion unknown"),
        ({"exp": "soon"}, 700024, "expiry time of assertion unknown"),
        ({"exp": 1e300}, None, ""),
    ],
)
def test_assertions_of_a_certificate(
    office: entra.Entra, caller: Caller, changed: dict[str, Any], number: int | None, text: str
) -> None:
    made = entra.make_certificate("d365setup pipeline")
    office.register(entra.PIPELINE, made)
    reply = proved(caller, own(office, made, **changed))
    if number is None:
        assert reply.status_code == 200, "an end far away is no matter"
    else:
        assert text in refused(reply, 401, number, "invalid_client")


@pytest.mark.parametrize("tenant", [entra.TENANT, "contoso.example"])
@pytest.mark.parametrize("end", ["/oauth2/v2.0/token", "/v2.0"])
def test_audiences_of_an_assertion(office: entra.Entra, caller: Caller, tenant: str, end: str) -> None:
    made = entra.make_certificate("d365setup pipeline")
    office.register(entra.PIPELINE, made)
    assert proved(caller, own(office, made, aud=f"{office.url}/{tenant}{end}")).status_code == 200


def test_an_unsigned_assertion(office: entra.Entra, caller: Caller) -> None:
    made = entra.make_certificate("d365setup pipeline")
    office.register(entra.PIPELINE, made)
    good = own(office, made)
    header = {"x5t": jwt.get_unverified_header(good)["x5t"]}
    claims = jwt.decode(good, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, "none", header)
    refused(proved(caller, unsigned), 401, 700027, "invalid_client")
    with_the_public_text = jwt.encode(claims, made.certificate.replace("CERTIFICATE", "X") * 2, "HS256", header)
    refused(proved(caller, with_the_public_text), 401, 700027, "invalid_client")


@pytest.mark.parametrize("chain", ["text", [], [7], ["%"], ["AAAA"], ["AAAA"] * 9])
def test_broken_chains(office: entra.Entra, caller: Caller, chain: Any) -> None:
    office.directory.change(entra.PIPELINE, subject_names=("pipeline",))
    made = entra.make_certificate("pipeline")
    now = int(time.time())
    claims = {"iss": entra.PIPELINE, "sub": entra.PIPELINE, "aud": "x", "exp": now + 60}
    refused(proved(caller, jwt.encode(claims, made.key, "RS256", {"x5c": chain})), 401, 700027, "invalid_client")


@pytest.mark.parametrize(
    ("issuer", "subject", "audience", "number", "named"),
    [
        (
            "https://elsewhere.example",
            entra.KUBERNETES_SUBJECT,
            TOKEN_EXCHANGE,
            700211,
            "issuer 'https://elsewhere.example'",
        ),
        (f"{KUBERNETES}/", entra.KUBERNETES_SUBJECT, TOKEN_EXCHANGE, 700211, f"issuer '{KUBERNETES}/'"),
        (KUBERNETES, "system:serviceaccount:default:other", TOKEN_EXCHANGE, 700213, "subject 'system:"),
        (KUBERNETES, entra.KUBERNETES_SUBJECT.upper(), TOKEN_EXCHANGE, 700213, "subject 'SYSTEM:"),
        (KUBERNETES, entra.KUBERNETES_SUBJECT, "https://contoso.example", 700212, "audience 'https://contoso.example'"),
        (KUBERNETES, entra.GITHUB_SUBJECT, TOKEN_EXCHANGE, 700213, "subject 'repo:contoso"),
    ],
)
def test_federated_assertions_of_nobody(
    office: entra.Entra, caller: Caller, issuer: str, subject: str, audience: str, number: int, named: str
) -> None:
    text = refused(proved(caller, office.assertion(issuer, subject, audience)), 401, number, "invalid_client")
    assert f"No matching federated identity record found for presented assertion {named}" in text


def test_a_federated_assertion_past_its_time(office: entra.Entra, caller: Caller) -> None:
    old = office.assertion(KUBERNETES, entra.KUBERNETES_SUBJECT, TOKEN_EXCHANGE, lifetime=-600)
    refused(proved(caller, old), 401, 700024, "invalid_client")


def test_a_federated_assertion_somebody_else_signed(office: entra.Entra, caller: Caller) -> None:
    claims = {"iss": KUBERNETES, "sub": entra.KUBERNETES_SUBJECT, "aud": TOKEN_EXCHANGE, "exp": int(time.time()) + 60}
    refused(proved(caller, jwt.encode(claims, new_key(), "RS256")), 401, 50013, "invalid_client")
    refused(
        proved(caller, jwt.encode(claims, "a secret of thirty-two characters", "HS256")), 401, 50013, "invalid_client"
    )


def test_an_issuer_of_ones_own(office: entra.Entra, caller: Caller) -> None:
    made = entra.make_certificate("issuer")
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # for this one text

    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    office.directory.issuers["https://runner.example"] = made.key.public_key().public_bytes(*form).decode()
    office.directory.change(entra.PIPELINE, federated=(entra.Federated("https://runner.example", "job"),))
    claims = {"iss": "https://runner.example", "sub": "job", "aud": TOKEN_EXCHANGE, "exp": int(time.time()) + 60}
    assert proved(caller, jwt.encode(claims, made.key, "RS256")).status_code == 200
    foreign = office.assertion("https://runner.example", "job", TOKEN_EXCHANGE)
    refused(proved(caller, foreign), 401, 50013, "invalid_client")


def test_a_device_code_is_good_once(office: entra.Entra, caller: Caller) -> None:
    form = {"client_id": entra.PERSONAL, "scope": f"{office.url}/.default openid"}
    flow = caller.send("POST", f"/{entra.TENANT}/oauth2/v2.0/devicecode", data=form).json()
    ask = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": entra.PERSONAL,
        "device_code": flow["device_code"],
    }
    refused(caller.token(**ask), 400, 70016, "authorization_pending")
    refused(caller.token(**{**ask, "device_code": "x"}), 400, 70000, "bad_verification_code")
    office.approve(flow["user_code"].lower(), "nurse.one@contoso.example")
    assert flow["user_code"] not in office.waiting()
    first = caller.token(**ask)
    assert first.status_code == 200
    assert "refresh_token" not in first.json(), "offline_access was not asked for"
    refused(caller.token(**ask), 400, 70000, "bad_verification_code")
    with pytest.raises(KeyError):
        office.approve(flow["user_code"], "nurse.one@contoso.example")


@pytest.mark.parametrize(
    ("form", "number", "error"),
    [
        ({"client_id": entra.PERSONAL}, 900144, "invalid_request"),
        ({"client_id": entra.PERSONAL, "scope": "openid profile"}, 70011, "invalid_scope"),
        ({"client_id": entra.PERSONAL, "scope": "https://a.example/.default {url}/.default"}, 70011, "invalid_scope"),
        ({"client_id": entra.PERSONAL, "scope": "https://a.example/.default"}, 500011, "invalid_resource"),
        ({"client_id": NOBODY, "scope": "{url}/.default"}, 700016, "unauthorized_client"),
        ({"scope": "{url}/.default"}, 900144, "invalid_request"),
    ],
)
def test_device_codes_nobody_gets(caller: Caller, form: dict[str, str], number: int, error: str) -> None:
    filled = {name: value.replace("{url}", caller.office.url) for name, value in form.items()}
    refused(caller.send("POST", f"/{entra.TENANT}/oauth2/v2.0/devicecode", data=filled), 400, number, error)


def test_the_page_for_people(office: entra.Entra, caller: Caller) -> None:
    office.directory.put(entra.Person("<b>@contoso.example", NOBODY, "odd"))
    form = {"client_id": entra.PERSONAL, "scope": f"{office.url}/.default"}
    flow = caller.send("POST", f"/{entra.TENANT}/oauth2/v2.0/devicecode", data=form).json()
    page = flow["verification_uri"].removeprefix(office.url)
    shown = caller.send("GET", page)
    assert "nurse.one@contoso.example" in shown.text
    assert "&lt;b&gt;@contoso.example" in shown.text
    assert "<b>@" not in shown.text
    answer = {"code": flow["user_code"], "person": "nobody@contoso.example", "answer": "yes"}
    assert "not known" in caller.send("POST", page, data=answer).text
    answer["person"] = "nurse.one@contoso.example"
    assert "Done." in caller.send("POST", page, data=answer).text
    ask = {"grant_type": "device_code", "client_id": entra.PERSONAL, "device_code": flow["device_code"]}
    assert caller.user(caller.token(**ask).json()["access_token"]) == "Nurse One"


def test_refresh_tokens(office: entra.Entra, caller: Caller) -> None:
    form = {"client_id": entra.PERSONAL, "scope": f"{office.url}/.default openid offline_access"}
    flow = caller.send("POST", f"/{entra.TENANT}/oauth2/v2.0/devicecode", data=form).json()
    office.approve(flow["user_code"], "nurse.one@contoso.example")
    ask = {"grant_type": "device_code", "client_id": entra.PERSONAL, "device_code": flow["device_code"]}
    given = caller.token(**ask).json()
    again = {"grant_type": "refresh_token", "client_id": entra.PERSONAL, "refresh_token": given["refresh_token"]}
    assert caller.user(caller.token(**again).json()["access_token"]) == "Nurse One"
    refused(caller.token(**{**again, "refresh_token": "x"}), 400, 9002313, "invalid_grant")
    refused(caller.token(**{**again, "refresh_token": given["access_token"]}), 400, 9002313, "invalid_grant")
    refused(caller.token(**{**again, "scope": f"{office.url}/Else"}), 400, 70011, "invalid_scope")
    assert caller.who(given["refresh_token"]).status_code == 401, "no key to the environment"
    assert caller.who(given["id_token"]).status_code == 401
    office.clock = lambda: time.time() + 91 * 86400
    refused(caller.token(**again), 400, 700082, "invalid_grant")


@pytest.mark.parametrize("path", ["/oauth2/v2.0/token", "/oauth2/v2.0/devicecode"])
def test_only_post(caller: Caller, path: str) -> None:
    assert "Received a GET request" in refused(
        caller.send("GET", f"/{entra.TENANT}{path}"), 400, 900561, "invalid_request"
    )


def test_the_callers_correlation_id_comes_back(caller: Caller) -> None:
    form = {"grant_type": "client_credentials"}
    path = f"/{entra.TENANT}/oauth2/v2.0/token"
    reply = caller.send("POST", path, data=form, headers={"client-request-id": NOBODY})
    assert reply.json()["correlation_id"] == NOBODY
    reply = caller.send("POST", path, data=form, headers={"client-request-id": "<script>"})
    assert "<script>" not in reply.text


def test_instances(caller: Caller) -> None:
    ask = {"api-version": "1.1", "authorization_endpoint": "https://login.elsewhere.example/common/oauth2/authorize"}
    refused(caller.send("GET", "/common/discovery/instance", params=ask), 400, 50049, "invalid_instance")
    refused(caller.send("GET", "/common/discovery/instance"), 400, 50049, "invalid_instance")
    ask["authorization_endpoint"] = f"{caller.office.authority}/oauth2/v2.0/authorize"
    told = caller.send("GET", "/common/discovery/instance", params=ask).json()
    assert told["tenant_discovery_endpoint"] == f"{caller.office.authority}/v2.0/.well-known/openid-configuration"


@pytest.mark.parametrize("version", ["", "/v2.0"])
def test_the_configuration_and_the_keys(caller: Caller, version: str) -> None:
    """Whoever checks tokens as Microsoft's guide says, with the published keys, finds ours good."""
    told = caller.send("GET", f"/contoso.example{version}/.well-known/openid-configuration").json()
    assert told["token_endpoint"] == f"{caller.office.authority}/oauth2/v2.0/token"
    assert told["issuer"] == caller.office.authority + (version or "/")
    keys = jwt.PyJWKSet.from_dict(caller.send("GET", told["jwks_uri"].removeprefix(caller.office.url)).json())
    token = caller.secret().json()["access_token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    found = jwt.decode(token, key, algorithms=["RS256"], audience=caller.office.url)
    assert found["iss"] == f"{caller.office.authority}/"
