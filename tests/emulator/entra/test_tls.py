"""The certificate we serve with: made once, trusted for this machine only, private where it must be."""

from __future__ import annotations

import datetime
import socket
import ssl
import stat
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from d365setup.emulator import Emulator, Fault, entra
from d365setup.emulator.entra import certificates
from d365setup.emulator.entra.certificates import ServerFiles

from .conftest import API, Caller


def served(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_what_is_in_the_folder(office: entra.Entra, folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"ca.pem", "server.pem", "signing.key", "runner.key"}
    for path in folder.iterdir():
        expected = 0o644 if path.name == "ca.pem" else 0o600
        assert (path.name, stat.S_IMODE(path.stat().st_mode) & ~0o022) == (path.name, expected & ~0o022)


def test_the_authority_can_sign_nothing_else(folder: Path, office: entra.Entra) -> None:
    """Its key is nowhere: whoever trusts the CA file trusts one certificate, and that one can sign none."""
    ca, server = served(folder / "ca.pem"), served(folder / "server.pem")
    public = ca.public_key()
    for path in folder.iterdir():
        if b"PRIVATE KEY" in path.read_bytes():
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            assert key.public_key() != public
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_both_names_are_good(office: entra.Entra) -> None:
    for host in ("127.0.0.1", "localhost"):
        url = office.url.replace("127.0.0.1", host) + API
        assert requests.get(url, verify=str(office.ca_bundle), timeout=10).status_code == 401


def test_it_is_made_once(tmp_path: Path) -> None:
    first = ServerFiles.kept_in(tmp_path / "deep" / "tls").server.read_bytes()
    assert ServerFiles.kept_in(tmp_path / "deep" / "tls").server.read_bytes() == first


@pytest.mark.parametrize("wrong", ["old", "gone", "broken", "of another authority"])
def test_it_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    files = ServerFiles.kept_in(tmp_path)
    before = files.server.read_bytes()
    if wrong == "old":
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=391)
        monkeypatch.setattr(certificates, "_now", lambda: later)
    elif wrong == "gone":
        files.ca_bundle.unlink()
    elif wrong == "broken":
        files.server.write_text("-----BEGIN CERTIFICATE-----\n")
    else:
        files.ca_bundle.write_bytes(ServerFiles.kept_in(tmp_path / "other").ca_bundle.read_bytes())
    again = ServerFiles.kept_in(tmp_path)
    assert again.server.read_bytes() != before
    served(again.server).verify_directly_issued_by(served(again.ca_bundle))
    assert stat.S_IMODE(again.server.stat().st_mode) == 0o600


def test_a_key_of_another_sort_is_told(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  # for this one file

    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "signing.key").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*form))
    with pytest.raises(TypeError, match=r"signing\.key holds no RSA key"), entra.serve(tmp_path):
        pass


def address(office: entra.Entra) -> tuple[str, int]:
    return "127.0.0.1", int(office.url.rpartition(":")[2])


def test_the_protocol_is_a_current_one(office: entra.Entra) -> None:
    context = ssl.create_default_context(cafile=str(office.ca_bundle))
    with (
        socket.create_connection(address(office), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as made,
    ):
        assert made.version() in {"TLSv1.2", "TLSv1.3"}


def test_a_connection_without_tls_gets_nothing(office: entra.Entra, caller: Caller) -> None:
    with socket.create_connection(address(office), timeout=10) as raw:
        raw.sendall(b"GET /api/data/v9.2/WhoAmI HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = raw.recv(1000)
    assert b"HTTP/1.1 2" not in answer
    assert caller.secret().status_code == 200, "and the others are served on"


def test_a_silent_connection_holds_nobody_up(office: entra.Entra, caller: Caller) -> None:
    with socket.create_connection(address(office), timeout=10):
        assert caller.secret().status_code == 200


def test_stopping_ends_open_connections(folder: Path) -> None:
    """Also those in the middle of a handshake; a daemon thread left behind would keep the port."""
    emulator = Emulator()
    office = entra.attach(emulator, folder, entra.clinic())
    with emulator.serve():
        place = address(office)
        silent = socket.create_connection(place, timeout=10)
        session = requests.Session()
        session.get(office.url + API, verify=str(office.ca_bundle), timeout=10)
    with pytest.raises(OSError, match=r"refused|reset"):
        socket.create_connection(place, timeout=10)
    silent.close()
    session.close()
    with emulator.serve():
        assert requests.get(office.url + API, verify=str(office.ca_bundle), timeout=10).status_code == 401
    emulator.close()


def test_faults_strike_over_tls_too(office: entra.Entra, caller: Caller) -> None:
    given = caller.secret().json()["access_token"]
    office.emulator.fail(Fault(where="drop-after", path="queues"))
    office.emulator.fail(Fault(where="request", path="WhoAmI", status=429, code="0x80072322", retry_after=1))
    headers = {"Authorization": f"Bearer {given}"}
    with pytest.raises(requests.ConnectionError):
        caller.send("GET", f"{API}queues", headers=headers)
    assert caller.who(given).status_code == 429
    assert caller.who(given).status_code == 200


def test_links_in_answers_stay_on_tls(office: entra.Entra, caller: Caller) -> None:
    headers = {"Authorization": f"Bearer {caller.secret().json()['access_token']}"}
    made = caller.send("POST", f"{API}queues", json={"name": "Desk"}, headers=headers)
    assert made.headers["OData-EntityId"].startswith(f"{office.url}{API}queues(")
    page = caller.send("GET", f"{API}queues", headers={**headers, "Prefer": "odata.maxpagesize=1"}).json()
    assert page["@odata.nextLink"].startswith(f"{office.url}{API}queues?")
