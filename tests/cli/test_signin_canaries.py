"""Canaries through every way to sign in, made to fail in every way: they turn up nowhere, not even in the exception."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import responses

from d365setup.cli.signin import Call, chosen
from d365setup.dataverse.auth import SignInError
from d365setup.emulator import entra
from tests.dataverse.test_secrets import everything_about

ENVIRONMENT = "https://contoso.crm.dynamics.com"
AUTHORITY = "https://login.microsoftonline.com/contoso.example"
RUNNER = "https://runner.example/token"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.canary-signature"
BASE = {"D365_TENANT_ID": "contoso.example", "D365_CLIENT_ID": "app-1"}
MADE = entra.make_certificate("canary")


def ways(folder: Path) -> dict[str, dict[str, str]]:
    (folder / "app.pfx").write_bytes(MADE.pfx("canary-password"))
    (folder / "token").write_text(JWT, encoding="ascii")
    return {
        "secret": {"D365_CLIENT_SECRET": "canary-secret"},
        "certificate": {
            "D365_CERTIFICATE_PATH": str(folder / "app.pfx"),
            "D365_CERTIFICATE_PASSWORD": "canary-password",
        },
        "file": {"D365_FEDERATED_TOKEN_FILE": str(folder / "token")},
        "github": {"ACTIONS_ID_TOKEN_REQUEST_URL": RUNNER, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-job"},
        "pipelines": {
            "SYSTEM_OIDCREQUESTURI": RUNNER,
            "SYSTEM_ACCESSTOKEN": "canary-job",
            "D365_SERVICE_CONNECTION_ID": "connection",
        },
        "managed": {"D365_MANAGED_IDENTITY": "system"},
        "device": {"D365_DEVICE_CODE": "1"},
    }


def echo(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
    """An answer that throws everything back at us, as a careless gateway might."""
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
    assertion = body.partition("client_assertion=")[2].partition("&")[0]
    said = f"{body} {request.headers} {JWT} {assertion}"
    return 400, {}, '{"error":"invalid_request","error_description":"' + said.replace('"', "'") + '"}'


def broken(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
    raise requests.ConnectionError(f"{request.body!r} {request.headers}", request=request)


def garbled(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
    del request
    return 200, {}, f"<html>{JWT}"


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "https://identity.example/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        answer = {
            "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
            "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/devicecode",
        }
        mock.get(f"{AUTHORITY}/v2.0/.well-known/openid-configuration", json=answer)
        yield mock


@pytest.mark.parametrize("fails", [echo, broken, garbled])
@pytest.mark.parametrize("way", ["secret", "certificate", "file", "github", "pipelines", "managed", "device"])
@pytest.mark.parametrize("where", ["issuer", "service"])
def test_nothing_secret_is_in_what_is_raised_or_logged(  # noqa: PLR0917  # fixtures
    way: str,
    fails: Callable[[requests.PreparedRequest], tuple[int, dict[str, str], str]],
    where: str,
    net: responses.RequestsMock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    caplog.set_level(logging.DEBUG)
    for method in ("GET", "POST"):
        if where == "issuer":
            net.add_callback(method, RUNNER, fails)
        else:
            net.add(method, RUNNER, json={"value": JWT, "oidcToken": JWT})
    net.add_callback("GET", "https://identity.example/msi", fails)
    net.add_callback("POST", f"{AUTHORITY}/oauth2/v2.0/token", fails)
    net.add_callback("POST", f"{AUTHORITY}/oauth2/v2.0/devicecode", fails)
    choice = chosen(Call({**BASE, **ways(tmp_path)[way]}, ENVIRONMENT))
    with pytest.raises(SignInError) as failed:
        choice.source.token()
    assert failed.value.hint
    shown = everything_about(failed.value) + repr(choice) + caplog.text + "".join(capfd.readouterr())
    found = shown.replace("CN=canary", "")
    assert "canary" not in found.replace(str(tmp_path), "")
    assert "eyJ" not in found
    assert "PRIVATE KEY" not in found


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    choice = chosen(Call({**BASE, "D365_CLIENT_SECRET": "canary-secret"}, ENVIRONMENT))
    with pytest.raises(SignInError, match="the proxy between here and the sign-in service") as failed:
        choice.source.token()
    assert "HTTPS_PROXY" in failed.value.hint
    assert "canary" not in everything_about(failed.value)
