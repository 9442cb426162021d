"""Clients this project did not write, each against an emulator of its own; they see public addresses only."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import requests

from d365setup.emulator import Emulator, entra

HERE = Path(__file__).parent
API = "/api/data/v9.2/"


def missing(what: str) -> None:
    """Skip on somebody's machine; fail where the gate runs, which installs everything."""
    message = f"{what}: run tests/vendors/install and install the extra 'test'"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


def needed(module: str) -> ModuleType:
    """Import a package of the extra `test`."""
    try:
        return importlib.import_module(module)
    except ImportError:
        missing(f"the package behind '{module}' is not installed")
        raise


def vendors() -> Path:
    """Return the folder that `install` fills."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("D365_VENDORS") or Path(cache, "d365setup", "vendors"))


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the npm packages."""
    folder = vendors()
    if shutil.which("node") is None:
        missing("node is not on the PATH")
    if not (folder / "node_modules" / "dynamics-web-api").is_dir():
        missing(f"no npm packages in {folder}")
    return folder


@dataclass(frozen=True)
class Place:
    """An emulator over TLS, and a token it accepts."""

    url: str
    ca_bundle: Path
    token: str
    emulator: Emulator

    @property
    def writes(self) -> list[str]:
        """Methods and paths of what changed rows."""
        return [f"{each.method} {each.path}" for each in self.emulator.requests if each.method != "GET"]

    def rows(self, path: str) -> list[dict[str, object]]:
        """Ask without the client under test."""
        headers = {"Authorization": f"Bearer {self.token}"}
        reply = requests.get(f"{self.url}{API}{path}", headers=headers, verify=str(self.ca_bundle), timeout=10)
        assert reply.status_code == 200, reply.text
        return list(reply.json()["value"])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and signing keys, made once."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture
def place(keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An emulator of the test's own, over TLS: Microsoft's SDK takes no other address."""
    with entra.serve(keys) as office:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(office.ca_bundle))
        form = {
            "grant_type": "client_credentials",
            "client_id": entra.PIPELINE,
            "client_secret": entra.PIPELINE_SECRET,
            "scope": f"{office.url}/.default",
        }
        address = f"{office.authority}/oauth2/v2.0/token"
        reply = requests.post(address, data=form, verify=str(office.ca_bundle), timeout=10)
        assert reply.status_code == 200, reply.text
        yield Place(office.url, office.ca_bundle, reply.json()["access_token"], office.emulator)
        assert office.emulator.gateway.failures == []
