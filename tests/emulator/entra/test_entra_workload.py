"""The places programs run in: what they refuse, and in which words."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from d365setup.emulator import entra
from d365setup.emulator.entra.directory import TOKEN_EXCHANGE

MACHINE = "/metadata/identity/oauth2/token"


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[entra.Entra]:
    with entra.serve(folder) as made:
        yield made


@pytest.fixture
def place(office: entra.Entra) -> Iterator[entra.Workload]:
    with office.workload() as made:
        yield made


def machine(place: entra.Workload, headers: dict[str, str] | None = None, **query: str) -> requests.Response:
    asked = {"api-version": "2018-02-01", "resource": place.office.url, **query}
    told = {name: value for name, value in asked.items() if value}
    return requests.get(place.url + MACHINE, params=told, headers=headers or {"Metadata": "true"}, timeout=10)


@pytest.mark.parametrize(
    ("headers", "query", "error", "text"),
    [
        ({"Metadata": "no"}, {}, "invalid_request", "Required metadata header not specified"),
        ({"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}, {}, "invalid_request", "Required metadata header"),
        (None, {"api-version": "2017"}, "invalid_request", "'api-version'"),
        (None, {"resource": ""}, "invalid_request", "'resource' is missing"),
        (None, {"client_id": entra.STRANGER}, "invalid_request", "Identity not found"),
        (None, {"resource": "https://other.example"}, "invalid_resource", "AADSTS500011"),
    ],
)
def test_a_virtual_machine_refuses(
    place: entra.Workload, headers: dict[str, str] | None, query: dict[str, str], error: str, text: str
) -> None:
    reply = machine(place, headers, **query)
    assert (reply.status_code, reply.json()["error"]) == (400, error)
    assert text in reply.json()["error_description"]
    assert place.requests[-1] == ("GET", MACHINE, 400)


def test_a_virtual_machine_answers_in_texts(place: entra.Workload) -> None:
    """Numbers come as texts there; a client that adds them up must know."""
    told = machine(place).json()
    assert {type(told[name]) for name in ("expires_in", "expires_on", "not_before")} == {str}
    assert told["client_id"] == entra.PIPELINE


@pytest.mark.parametrize(
    ("changed", "status", "text"),
    [
        ({"X-IDENTITY-HEADER": "wrong"}, 401, "X-IDENTITY-HEADER"),
        ({"api-version": "2017-09-01"}, 400, "2019-08-01"),
        ({"resource": ""}, 400, "resource"),
        ({"client_id": entra.STRANGER}, 400, "Managed Identity"),
        ({"resource": "https://other.example"}, 500, "AADSTS500011"),
    ],
)
def test_an_app_service_refuses(place: entra.Workload, changed: dict[str, str], status: int, text: str) -> None:
    found = place.app_service()
    asked = {"api-version": "2019-08-01", "resource": place.office.url, "X-IDENTITY-HEADER": found["IDENTITY_HEADER"]}
    asked = {name: value for name, value in {**asked, **changed}.items() if value}
    header = {"X-IDENTITY-HEADER": asked.pop("X-IDENTITY-HEADER")}
    reply = requests.get(found["IDENTITY_ENDPOINT"], params=asked, headers=header, timeout=10)
    assert (reply.status_code, reply.json()["statusCode"]) == (status, status)
    assert text in reply.json()["message"]


def test_a_job_at_github(place: entra.Workload) -> None:
    found = place.github()
    url = found["ACTIONS_ID_TOKEN_REQUEST_URL"]
    headers = {"Authorization": f"bearer {found['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    assert requests.get(url, timeout=10).status_code == 401
    assert requests.get(url, headers={"Authorization": "Bearer x"}, timeout=10).status_code == 401
    told = claims(requests.get(f"{url}&audience={TOKEN_EXCHANGE}", headers=headers, timeout=10).json()["value"])
    assert (told["aud"], told["sub"]) == (TOKEN_EXCHANGE, entra.GITHUB_SUBJECT)
    told = claims(requests.get(url, headers=headers, timeout=10).json()["value"])
    assert told["aud"] == "https://github.com/contoso"


def test_a_job_at_azure_pipelines(place: entra.Workload) -> None:
    found = place.azure_pipelines()
    headers = {"Authorization": f"Bearer {found['SYSTEM_ACCESSTOKEN']}"}
    query = {"api-version": "7.1", "serviceConnectionId": found["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"]}

    def ask(**changed: Any) -> requests.Response:
        options = {"params": query, "headers": headers, **changed}
        return requests.post(found["SYSTEM_OIDCREQUESTURI"], json={}, timeout=10, **options)

    assert claims(ask().json()["oidcToken"])["sub"] == entra.PIPELINES_SUBJECT
    assert ask(headers={}).status_code == 401
    assert ask(params={"api-version": "7.1"}).status_code == 404
    assert ask(params={**query, "serviceConnectionId": "other"}).status_code == 404
    assert requests.get(found["SYSTEM_OIDCREQUESTURI"], timeout=10).status_code == 404


def test_a_token_file(place: entra.Workload, tmp_path: Path) -> None:
    found = place.kubernetes(tmp_path / "token")
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert claims((tmp_path / "token").read_text())["sub"] == entra.KUBERNETES_SUBJECT
    assert found["AZURE_AUTHORITY_HOST"] + found["AZURE_TENANT_ID"] == place.office.authority


def test_a_place_that_is_closed(office: entra.Entra) -> None:
    with pytest.raises(RuntimeError, match="not listening"):
        entra.Workload(office).app_service()


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})
