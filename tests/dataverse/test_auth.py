import json
import pickle
import subprocess
import sys

import pytest
import requests
import responses

from d365setup.dataverse.auth import ClientSecret, Directory, Secret, SignInError, StaticToken

from .service import ORIGIN

AUTHORITY = "https://login.microsoftonline.com/contoso.example"
SECRET = "canary-secret-value"


@pytest.fixture
def sign_in():
    with responses.RequestsMock() as mock:
        answer = {
            "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
            "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
            "issuer": f"{AUTHORITY}/v2.0",
        }
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json=answer)
        yield mock


def source(authority: str = "", tenant: str = "contoso.example") -> ClientSecret:
    return ClientSecret(Directory(f"{ORIGIN}/", tenant, authority), "app-1", SECRET)


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
    with pytest.raises(SignInError) as refused:
        source().token()
    assert cure in refused.value.hint
    assert SECRET not in str(refused.value)
    assert description.replace(SECRET, "***") in refused.value.message
    assert refused.value.__context__ is None


def test_what_looks_like_a_token_is_never_quoted(sign_in):
    body = {"error": "x", "error_description": "AADSTS1: eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.canary is bad"}
    sign_in.post(f"{AUTHORITY}/oauth2/v2.0/token", json=body, status=401)
    with pytest.raises(SignInError, match=r"AADSTS1: \*\*\* is bad"):
        source().token()


def test_a_failure_stands_for_the_other_workers(sign_in):
    sign_in.post(f"{AUTHORITY}/oauth2/v2.0/token", json={"error": "invalid_client"}, status=401)
    tokens = source()
    for _ in range(3):
        with pytest.raises(SignInError, match="invalid_client"):
            tokens.token()
    assert len([call for call in sign_in.calls if call.request.method == "POST"]) == 1


@pytest.mark.parametrize(
    ("found", "told", "cure"),
    [
        (requests.ConnectionError(SECRET), "cannot be reached", "proxy settings"),
        (requests.exceptions.ProxyError(SECRET), "the proxy between here", "HTTPS_PROXY"),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), "is not trusted", "--ca-bundle"),
        (requests.ReadTimeout(SECRET), "gave no answer in time", "network"),
    ],
)
def test_no_way_to_the_sign_in_service(found, told, cure):
    with responses.RequestsMock() as mock:
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", body=found)
        with pytest.raises(SignInError, match=told) as refused:
            source().token()
    assert cure in refused.value.hint
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None


def test_a_tenant_that_does_not_exist():
    said = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant 'contoso.example' not found."}
    with responses.RequestsMock() as mock:
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json=said, status=400)
        with pytest.raises(SignInError, match="AADSTS90002: Tenant") as refused:
            source().token()
    assert "check the tenant id or domain" in refused.value.hint


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_secret(sign_in, status):
    headers = {"Location": "https://evil.example/token"}
    sign_in.post(f"{AUTHORITY}/oauth2/v2.0/token", status=status, headers=headers)
    with pytest.raises(SignInError, match="sends us elsewhere"):
        source().token()
    assert not [call for call in sign_in.calls if "evil" in call.request.url]


def test_a_service_that_names_a_stranger_as_its_token_endpoint_gets_no_secret():
    answer = {
        "token_endpoint": "https://evil.example/contoso.example/oauth2/v2.0/token",
        "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
    }
    with responses.RequestsMock() as mock:
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json=answer)
        with pytest.raises(SignInError, match="is not the sign-in service"):
            source().token()


def test_an_answer_without_end_is_cut_off():
    with responses.RequestsMock() as mock:
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", body=b"x" * 1_100_000)
        with pytest.raises(SignInError, match="no answer in time"):
            source().token()


def test_no_netrc_and_no_cookie_goes_along(sign_in, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("default login me password canary", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    grant(sign_in, "first")
    source().token()
    assert not [call for call in sign_in.calls if {"Authorization", "Cookie"} & set(call.request.headers)]


def test_the_bundle_is_used_for_every_request_whatever_the_environment_says(sign_in, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    grant(sign_in, "first")
    directory = Directory(ORIGIN, "contoso.example", ca_bundle=tmp_path / "mine.pem")
    ClientSecret(directory, "app-1", SECRET).token()
    assert {call.request.req_kwargs["verify"] for call in sign_in.calls} == {str(tmp_path / "mine.pem")}


@pytest.mark.parametrize(
    ("tenant", "host", "why"),
    [
        ("a/b", "https://login.microsoftonline.com", "tenant"),
        ("contoso.example", "http://login.microsoftonline.com", "sign-in service"),
        ("contoso.example", "login.microsoftonline.com", "sign-in service"),
        ("contoso.example", "https://me:pw@login.microsoftonline.com", "sign-in service"),
        ("contoso.example", "https://login.microsoftonline.com:x", "sign-in service"),
        ("contoso.example", "https://login.microsoftonline.com/fabrikam.example", "given twice"),
    ],
)
def test_arguments_that_cannot_be_right(tenant, host, why):
    with pytest.raises(ValueError, match=why):
        Directory(ORIGIN, tenant, host)


@pytest.mark.parametrize(("client_id", "secret", "why"), [("", SECRET, "client id"), ("app-1", " ", "secret is empty")])
def test_what_is_empty(client_id, secret, why):
    with pytest.raises(ValueError, match=why):
        ClientSecret(Directory(ORIGIN), client_id, secret)


@pytest.mark.parametrize("token", ["", "two words", "a\r\nb", "é"])
def test_what_no_header_can_carry_is_no_token(token):
    with pytest.raises(ValueError, match="access token"):
        StaticToken(token)


def test_a_static_token_stays_as_it_is():
    assert StaticToken(Secret("abc")).token(force=True) == "abc"


@pytest.mark.parametrize(
    ("token", "expires"),
    [
        ("h.eyJleHAiOjE3MDAwMDAwMDB9.s", 1_700_000_000.0),
        ("h.eyJleHAiOiJzb29uIn0.s", None),
        ("h.bm90IGpzb24.s", None),
        ("h.W10.s", None),
        ("h.=.s", None),
        ("opaque", None),
    ],
)
def test_when_a_token_says_it_ends(token, expires):
    assert StaticToken(token).expires == expires


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
        "import d365setup.dataverse.client, d365setup.dataverse.auth, d365setup.dataverse.auth.federation,"
        "d365setup.dataverse.auth.certificate, d365setup.dataverse.auth.device, d365setup.dataverse.auth.managed;"
        "assert not {'msal', 'cryptography', 'msal_extensions'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # our own text
