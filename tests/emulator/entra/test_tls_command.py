"""`d365setup emulator serve --tls`, as a process of its own."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msal
import pytest
import requests

from d365setup.emulator import entra
from tests.cli.process import ended, start

from .conftest import API


@contextmanager
def serving(*options: str) -> Iterator[tuple[str, str]]:
    """URL and CA file of a process that serves; it must end well when it is told to."""
    process = start("emulator", "serve", "--tls", *options)
    assert process.stdout is not None
    try:
        first, second = process.stdout.readline().strip(), process.stdout.readline().strip()
        assert first.startswith("listening on https://127.0.0.1:"), process.stderr
        assert second.startswith("ca bundle /")
        yield first.removeprefix("listening on "), second.removeprefix("ca bundle ")
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate(timeout=30)


def token(url: str, bundle: str, secret: str) -> str:
    with requests.Session() as session:
        session.verify = bundle
        app = msal.ConfidentialClientApplication(
            entra.PIPELINE,
            secret,
            authority=f"{url}/{entra.TENANT}",
            instance_discovery=False,
            http_client=session,
        )
        return str(app.acquire_token_for_client([f"{url}/.default"])["access_token"])


def user(url: str, bundle: str, given: str) -> str:
    headers = {"Authorization": f"Bearer {given}"}
    return str(requests.get(f"{url}{API}WhoAmI", headers=headers, verify=bundle, timeout=10).json()["UserId"])


@pytest.mark.skipif(sys.platform == "win32", reason="ends it by POSIX signals")
def test_it_says_where_and_whom_to_trust(tmp_path: Path) -> None:
    data = str(tmp_path / "rehearsal.db")
    kept = tmp_path / "emulator-tls"
    with serving("--data", data) as (url, bundle):
        assert bundle == str(kept / "ca.pem")
        first = user(url, bundle, token(url, bundle, entra.PIPELINE_SECRET))
        port = url.rpartition(":")[2]
    told = json.loads((kept / "directory.json").read_text())
    told["applications"][0]["secrets"] = [{"value": "chosen here"}]
    (kept / "directory.json").write_text(json.dumps(told))
    with serving("--data", data, "--port", port) as (url, bundle):
        assert user(url, bundle, token(url, bundle, "chosen here")) == first


def test_the_folder_can_be_chosen(tmp_path: Path, folder: Path) -> None:
    with serving("--data", str(tmp_path / "rehearsal.db"), "--tls-dir", str(tmp_path / "kept")) as (_, bundle):
        assert bundle == str(tmp_path / "kept" / "ca.pem")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tls", "--user", "admin=Ada"), "--tls and --user exclude each other"),
        (("--tls-dir", "x"), "--tls-dir goes with --tls"),
        (("--tls", "--tls-dir", "{folder}/file"), "--tls: "),
        (("--tls", "--tls-dir", "{folder}/broken"), "directory.json: this is not JSON"),
    ],
)
def test_calls_that_cannot_be(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "directory.json").write_text("{")
    filled = [each.replace("{folder}", str(tmp_path)) for each in options]
    code, out, err = ended("emulator", "serve", "--data", str(tmp_path / "x.db"), *filled)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
