"""A sign-in service with an emulator, over TLS; the keys are made once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests

from d365setup.emulator import entra

API = "/api/data/v9.2/"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("entra")


@pytest.fixture(autouse=True)
def no_other_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` lets these win over `Session.verify`, and MSAL sets the latter."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


class Caller:
    """Raw requests to the sign-in service and to the environment."""

    def __init__(self, office: entra.Entra) -> None:
        self.office = office
        self.session = requests.Session()
        self.session.verify = str(office.ca_bundle)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.office.url + path, timeout=10, **options)

    def token(self, tenant: str = entra.TENANT, **form: str) -> requests.Response:
        return self.send("POST", f"/{tenant}/oauth2/v2.0/token", data=form)

    def secret(self, tenant: str = entra.TENANT, **changed: str) -> requests.Response:
        """The ordinary request with a secret; an empty value leaves a parameter out."""
        form = {
            "grant_type": "client_credentials",
            "client_id": entra.PIPELINE,
            "client_secret": entra.PIPELINE_SECRET,
            "scope": f"{self.office.url}/.default",
        }
        return self.token(tenant, **{name: value for name, value in {**form, **changed}.items() if value})

    def who(self, token: str) -> requests.Response:
        return self.send("GET", f"{API}WhoAmI", headers={"Authorization": f"Bearer {token}"})

    def user(self, token: str) -> str:
        """Name of the user the environment takes the token for."""
        reply = self.who(token)
        assert reply.status_code == 200, reply.text
        sql = "SELECT fullname FROM systemuser WHERE systemuserid = ?"
        return str(self.office.emulator.sql(sql, [reply.json()["UserId"]])[0][0])


@pytest.fixture
def office(folder: Path) -> Iterator[entra.Entra]:
    with entra.serve(folder) as made:
        yield made
        assert made.emulator.gateway.failures == []


@pytest.fixture
def caller(office: entra.Entra) -> Iterator[Caller]:
    made = Caller(office)
    yield made
    made.session.close()


Confidential = Callable[..., msal.ConfidentialClientApplication]
Public = Callable[..., msal.PublicClientApplication]


@pytest.fixture
def sessions(office: entra.Entra) -> Iterator[Callable[[], requests.Session]]:
    """What MSAL takes as its `http_client`: closed with the test, else as MSAL would make it."""
    made: list[requests.Session] = []

    def make() -> requests.Session:
        made.append(requests.Session())
        made[-1].verify = str(office.ca_bundle)
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def confidential(office: entra.Entra, sessions: Callable[[], requests.Session]) -> Confidential:
    def make(credential: Any, client_id: str = entra.PIPELINE, **options: Any) -> msal.ConfidentialClientApplication:
        known = {"authority": office.authority, "instance_discovery": False, "http_client": sessions()}
        return msal.ConfidentialClientApplication(client_id, client_credential=credential, **{**known, **options})

    return make


@pytest.fixture
def public(office: entra.Entra, sessions: Callable[[], requests.Session]) -> Public:
    def make(client_id: str = entra.PERSONAL, **options: Any) -> msal.PublicClientApplication:
        known = {"authority": office.authority, "instance_discovery": False, "http_client": sessions()}
        return msal.PublicClientApplication(client_id, **{**known, **options})

    return make
