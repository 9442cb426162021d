import json
import pickle
import subprocess
import sys

import pytest
import requests
import responses

from d365setup.dataverse.auth import ClientSecret, Secret, StaticToken
from d365setup.dataverse.errors import AuthError

from .service import ORIGIN

AUTHORITY = "https://login.microsoftonline.com/contoso.example"
SECRET = "canary-secret-value"


@pytest.fixture
def sign_in():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        # MSAL looks up which hosts are one cloud before it searches its memory.
        mock.get("https://login.microsoftonline.com/common/discovery/instance", json={"metadata": []})
        answer = {
            "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
            "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
            "issuer": f"{AUTHORITY}/v2.0",
        }
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json=answer)
        yield mock


def source(**options) -> ClientSecret:
    return ClientSecret("contoso.example", "app-1", SECRET, f"{ORIGIN}/", **options)


def grant(mock, *tokens):
    for token in tokens:
        body = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        mock.post(f"{AUTHORITY}/oauth2/v2.0/token", json=body)


def test_the_token_is_asked_for_the_environment_and_kept(sign_in):
    grant(sign_in, "first")
    tokens = source()
    assert [tokens.token(), tokens.token()] == ["first", "first"]
    sent = sign_in.calls[-1].request.body
    assert "scope=https%3A%2F%2Fcontoso.crm.dynamics.com%2F.default" in sent
    assert len([call for call in sign_in.calls if call.request.method == "POST"]) == 1


def test_force_makes_a_new_one(sign_in):
    grant(sign_in, "first", "second")
    tokens = source()
    assert [tokens.token(), tokens.token(force=True), tokens.token()] == ["first", "second", "second"]


@pytest.mark.parametrize(
    ("description", "cure"),
    [
        (f"AADSTS7000215: Invalid client secret provided. {SECRET}", "not its id"),
        ("AADSTS7000222: The provided client secret keys are expired.", "expired: make a new one"),
        ("AADSTS700016: Application was not found in the directory.", "check the client id"),
        ("AADSTS99: Something else", "check tenant, client id and secret"),
        ("", "check tenant, client id and secret"),
    ],
)
def test_a_refusal_says_what_to_do_and_never_the_secret(sign_in, description, cure):
    body = {"error": "invalid_client", "error_description": description}
    sign_in.post(f"{AUTHORITY}/oauth2/v2.0/token", json=body, status=401)
    with pytest.raises(AuthError, match=cure) as refused:
        source().token()
    assert SECRET not in str(refused.value)
    assert description.replace(SECRET, "***") in refused.value.message
    assert refused.value.__context__ is None


def test_no_way_to_the_sign_in_service():
    with responses.RequestsMock() as mock:
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", body=requests.ConnectionError(SECRET))
        with pytest.raises(AuthError, match="cannot be reached") as refused:
            source().token()
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None


def test_a_tenant_that_does_not_exist():
    with responses.RequestsMock() as mock:
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json={"error": "invalid_tenant"}, status=400)
        with pytest.raises(AuthError, match="check tenant"):
            source().token()


@pytest.mark.parametrize(
    ("tenant", "host", "why"),
    [
        ("a/b", "https://login.microsoftonline.com", "tenant"),
        ("", "https://login.microsoftonline.com", "tenant"),
        ("contoso.example", "http://login.microsoftonline.com", "sign-in service"),
        ("contoso.example", "login.microsoftonline.com", "sign-in service"),
        ("contoso.example", "https://me:pw@login.microsoftonline.com", "sign-in service"),
    ],
)
def test_arguments_that_cannot_be_right(tenant, host, why):
    with pytest.raises(ValueError, match=why):
        ClientSecret(tenant, "app-1", SECRET, ORIGIN, host)


@pytest.mark.parametrize("token", ["", "two words", "a\r\nb", "é"])
def test_what_no_header_can_carry_is_no_token(token):
    with pytest.raises(ValueError, match="access token"):
        StaticToken(token)


def test_a_static_token_stays_as_it_is():
    assert StaticToken(Secret("abc")).token(force=True) == "abc"


@pytest.mark.parametrize(
    "show", [str, repr, "{}".format, "{:>20}".format, "%s".__mod__, lambda s: f"{s!r}", lambda s: f"{[s]}"]
)
def test_a_secret_shows_as_stars(show):
    shown = show(Secret(SECRET))
    assert "***" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("store", [pickle.dumps, json.dumps])
def test_a_secret_cannot_be_stored(store):
    with pytest.raises(TypeError):
        store(Secret(SECRET))


def test_importing_the_client_loads_no_msal_and_the_package_no_http():
    code = (
        "import sys, d365setup.dataverse; assert 'requests' not in sys.modules;"
        "import d365setup.dataverse.client, d365setup.dataverse.auth; assert 'msal' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # our own text
