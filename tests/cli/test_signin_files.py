"""Certificates and token files: what is wrong with one is told before anything is sent, and never with its content."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from d365setup.dataverse.auth import Directory, Secret, SignInError
from d365setup.dataverse.auth.certificate import ClientCertificate, load
from d365setup.dataverse.auth.federation import AzurePipelines, GitHubActions, TokenFile
from d365setup.dataverse.auth.managed import ManagedIdentity
from tests.cli.conftest import VALUES, Run

URL = "https://contoso.crm.dynamics.com"
PASSWORD = "canary-password"
KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
NOW = datetime.now(UTC)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, start: int = -1, end: int = 30
) -> x509.Certificate:
    """A self-signed certificate that counts from and until so many days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pipeline")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW + timedelta(days=start))
    return builder.not_valid_after(NOW + timedelta(days=end)).sign(key, hashes.SHA256())


CERTIFICATE, STRANGER = certificate(KEY), certificate(OTHER)
PLAIN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(PASSWORD.encode())


def pem(*things: object, lock: serialization.KeySerializationEncryption = PLAIN) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return b"".join(
        each.public_bytes(serialization.Encoding.PEM)
        if isinstance(each, x509.Certificate)
        else each.private_bytes(*form)  # type: ignore[attr-defined]
        for each in things
    )


def pfx(lock: serialization.KeySerializationEncryption = LOCKED, key: rsa.RSAPrivateKey | None = KEY) -> bytes:
    own = CERTIFICATE if key else None
    return pkcs12.serialize_key_and_certificates(b"x", key, own, [STRANGER], lock)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "app.pem"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (pem(KEY, CERTIFICATE), ""),
        (pem(CERTIFICATE, KEY), ""),
        (pem(STRANGER, KEY, CERTIFICATE), ""),
        (b"a heading\n" + pem(KEY, CERTIFICATE, STRANGER), PASSWORD),
        (pem(KEY, CERTIFICATE, lock=LOCKED), PASSWORD),
        (pem(CERTIFICATE, KEY, lock=LOCKED), PASSWORD),
        (pfx(), PASSWORD),
        (pfx(PLAIN), ""),
    ],
)
def test_every_usual_file_is_read_and_the_certificate_of_the_key_stands_first(
    content: bytes, password: str, tmp_path: Path
) -> None:
    found = load(write(tmp_path, content), password)
    assert found.subject == "CN=pipeline"
    assert x509.load_pem_x509_certificate(found.chain.encode()) == CERTIFICATE
    assert "PRIVATE" not in repr(found)
    source = ClientCertificate(Directory(URL), "app-1", found)
    assert source.expires == CERTIFICATE.not_valid_after_utc.timestamp()
    assert "PRIVATE" not in repr(vars(source))


DAMAGED = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
BAD: dict[str, tuple[bytes | None, str, str]] = {
    "no such file": (None, "", "cannot be read: No such file"),
    "empty": (b" \n", "", "is empty"),
    "too large": (b"x" * 1_100_000, "", "too large to be one"),
    "private key alone": (pem(KEY), "", "holds a private key alone: put the certificate into the same file"),
    "certificate alone": (pem(CERTIFICATE), "", "holds a certificate alone: put its private key"),
    "neither": (b"-----BEGIN PUBLIC KEY-----\n", "", "holds neither a certificate nor a private key"),
    "damaged certificate": (pem(KEY) + DAMAGED, "", "it is damaged"),
    "damaged key": (
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + pem(CERTIFICATE),
        "",
        "the private key in",
    ),
    "locked without password": (pem(KEY, CERTIFICATE, lock=LOCKED), "", "is encrypted: set D365_CERTIFICATE_PASSWORD"),
    "locked, wrong password": (pem(KEY, CERTIFICATE, lock=LOCKED), "canary", "the password is wrong"),
    "the key of another": (pem(OTHER, CERTIFICATE), "", "does not belong to the certificate in it"),
    "no RSA": (pem(ELLIPTIC, certificate(ELLIPTIC)), "", "Entra accepts RSA only"),
    "PFX, wrong password": (pfx(), "canary", "the password does not open it"),
    "PFX without password": (pfx(), "", "it needs a password: set D365_CERTIFICATE_PASSWORD"),
    "PFX without key": (pfx(key=None), PASSWORD, "must hold both a certificate and its private key"),
    "something else": (b"PK\x03\x04 canary", "", "neither a PEM file nor a PFX file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used(case: str, tmp_path: Path, run: Run) -> None:
    content, password, told = BAD[case]
    path = write(tmp_path, content) if content is not None else tmp_path / "app.pem"
    variables = {**VALUES, "D365_CLIENT_ID": "app-1", "D365_CERTIFICATE_PATH": str(path), "D365_ACCESS_TOKEN": ""}
    ended = run("plan", "bot.yaml", "--url", URL, **variables, D365_CERTIFICATE_PASSWORD=password)
    assert ended.code == 2
    assert told in ended.err
    assert "app.pem" in ended.err
    assert not {"canary", PASSWORD, "BEGIN"} & set(ended.err.split())


@pytest.mark.parametrize(
    ("days", "told", "next_step"),
    [((-30, -1), "the certificate CN=pipeline expired on", "make a new one"), ((1, 30), "counts from", "clock")],
)
def test_a_certificate_out_of_its_time(
    days: tuple[int, int], told: str, next_step: str, tmp_path: Path, run: Run
) -> None:
    path = write(tmp_path, pem(KEY, certificate(KEY, *days)))
    variables = {**VALUES, "D365_CLIENT_ID": "app-1", "D365_CERTIFICATE_PATH": str(path), "D365_ACCESS_TOKEN": ""}
    ended = run("plan", "bot.yaml", "--url", URL, "--max-wait", "0", **variables, D365_TENANT_ID="contoso.example")
    assert ended.code == 6
    assert told in ended.err
    assert next_step in ended.err.partition("next: ")[2]


# -- federated assertions ----------------------------------------------------------------------------------------------


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    fetch = TokenFile(file)
    for text in ("a.b.c", "d.e.f\n"):
        file.write_text(text, encoding="ascii")
        assert fetch().reveal() == text.strip()


@pytest.mark.parametrize("content", [None, b"", b"canary", b"a.b c.d", "ä.b.c".encode(), b"a.b." + b"c" * 70_000])
def test_a_token_file_without_a_token(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(SignInError) as refused:
        TokenFile(tmp_path / "token")()
    assert "token" in refused.value.message
    assert refused.value.hint
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "make", [lambda url: GitHubActions(url, "x"), lambda url: AzurePipelines(url, Secret("x"), "connection")]
)
@pytest.mark.parametrize(
    "url", ["http://runner.example", "runner", "https://me:canary@runner.example", "https://h:x", "file:///etc/x"]
)
def test_no_job_token_goes_anywhere_unprotected(make: Callable[[str], object], url: str) -> None:
    with pytest.raises(ValueError, match=r"ACTIONS_ID|SYSTEM_OIDC") as refused:
        make(url)
    assert "canary" not in str(refused.value)


def test_which_managed_identity_must_be_said() -> None:
    with pytest.raises(ValueError, match="which managed identity"):
        ManagedIdentity(" ", URL)
