"""Signatures: by each kind of key, checked by us and by openssl, and refused where they should be."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from d365setup.errors import UsageError
from d365setup.evidence.chain import sealed
from d365setup.evidence.inspection import Given, inspected
from d365setup.evidence.signing import signer, verifier
from tests.evidence.made import evidence, lines, plain

KINDS = ("ed25519", "p256", "p384", "rsa")
OPENSSL = shutil.which("openssl")
_PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]


@cache
def key(kind: str) -> object:
    match kind:
        case "ed25519" | "other":
            return ed25519.Ed25519PrivateKey.generate()
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ed448":
            return ed448.Ed448PrivateKey.generate()
        case "short":
            return rsa.generate_private_key(65537, 1024)  # noqa: S505  # it is refused
    return rsa.generate_private_key(65537, 2048)


def private(kind: str, password: str = "") -> bytes:
    how = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)  # type: ignore[attr-defined]


def public(kind: str) -> bytes:
    own = key(kind).public_key()  # type: ignore[attr-defined]
    return own.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_signed_is_valid(kind: str) -> None:
    own = signer(private(kind), "", "key.pem")
    data = evidence(signed_by=own.fingerprint)
    found = inspected([Given("a.jsonl", data, own.sign(data))], verifier(public(kind), "pub.pem"))
    assert (found.exit_code, found.files[0].signature, found.files[0].problems) == (0, "valid", ())


@pytest.mark.skipif(OPENSSL is None, reason="looks at what openssl says")
@pytest.mark.parametrize("kind", KINDS)
def test_openssl_agrees(kind: str, tmp_path: Path) -> None:
    data = evidence()
    for name, content in (("a", data), ("a.sig", signer(private(kind), "", "k").sign(data)), ("pub", public(kind))):
        (tmp_path / name).write_bytes(content)
    call = ["dgst", "-sha256", "-verify", "pub", *(_PSS if kind == "rsa" else []), "-signature", "a.sig", "a"]
    if kind == "ed25519":
        call = ["pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-rawin", "-in", "a", "-sigfile", "a.sig"]
    for expected in (0, 1):
        ended = subprocess.run([str(OPENSSL), *call], cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
        assert ended.returncode == expected, ended.stderr
        (tmp_path / "a").write_bytes(data.replace(b"Nurses", b"Purses"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_sealed_anew_is_found(kind: str) -> None:
    own = signer(private(kind), "", "key.pem")
    data = evidence(signed_by=own.fingerprint)
    anew = sealed(
        [plain(json.loads(line)) | ({"exit_code": 0} if b'"end"' in line else {}) for line in lines(data)[:-1]]
    )
    found = inspected([Given("a.jsonl", anew, own.sign(data))], verifier(public(kind), "pub.pem"))
    assert found.exit_code == 4
    assert found.files[0].alteration is None
    assert found.files[0].problems == (
        "the signature is not of this file: the file was altered, or the signature is another file's",
    )


def test_the_key_of_somebody_else() -> None:
    own = signer(private("ed25519"), "", "key.pem")
    data = evidence(signed_by=own.fingerprint)
    found = inspected([Given("a.jsonl", data, own.sign(data))], verifier(public("p256"), "pub.pem"))
    assert found.exit_code == 4
    assert f"it says that the key {own.fingerprint} signed it" in found.files[0].problems[0]


@pytest.mark.parametrize("with_key", [True, False])
def test_a_signature_that_was_taken_away(with_key: bool) -> None:
    own = signer(private("ed25519"), "", "key.pem")
    found = inspected(
        [Given("a.jsonl", evidence(signed_by=own.fingerprint))],
        verifier(public("ed25519"), "pub.pem") if with_key else None,
    )
    assert found.exit_code == 4
    assert found.files[0].problems == ("its signature is missing: a.jsonl.sig is not there",)


def test_unsigned_evidence_where_a_key_is_given() -> None:
    found = inspected([Given("a.jsonl", evidence())], verifier(public("ed25519"), "pub.pem"))
    assert (found.exit_code, found.files[0].signature) == (4, "missing")


def test_a_signature_nobody_checks_is_said_to_be_unchecked() -> None:
    own = signer(private("ed25519"), "", "key.pem")
    data = evidence(signed_by=own.fingerprint)
    (found,) = inspected([Given("a.jsonl", data, own.sign(data))]).files
    assert (found.state, found.signature) == ("unaltered", "not checked")
    assert found.notes == ("it is signed; --public-key checks by whom",)


@pytest.mark.parametrize(
    ("pem", "password", "told"),
    [
        (b"nothing", "", "k.pem holds no private key: it takes a PEM file with an Ed25519, ECDSA or RSA key"),
        (public("ed25519"), "", "k.pem holds no private key"),
        (private("rsa", "canary"), "", "k.pem is encrypted: set D365_EVIDENCE_KEY_PASSWORD to its password"),
        (private("rsa", "canary"), "wrong", "k.pem cannot be used: D365_EVIDENCE_KEY_PASSWORD does not open it"),
        (private("rsa")[:200], "", "k.pem cannot be used: it is damaged"),
        (private("rsa").replace(b"MII", b"III", 1), "", "k.pem cannot be used: it is damaged"),
        (private("ed448"), "", "k.pem is a key of another kind: it takes an Ed25519, ECDSA or RSA key"),
        (private("short"), "", "k.pem is an RSA key of 1024 bits: 2048 is the least"),
    ],
)
def test_a_private_key_that_is_none(pem: bytes, password: str, told: str) -> None:
    with pytest.raises(UsageError) as failed:
        signer(pem, password, "k.pem")
    assert told in str(failed.value)
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        (b"nothing", "p.pem holds no public key"),
        (private("ed25519"), "p.pem holds a private key: give the public one"),
        (public("ed448"), "p.pem is a key of another kind"),
        (public("short"), "p.pem is an RSA key of 1024 bits"),
    ],
)
def test_a_public_key_that_is_none(pem: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        verifier(pem, "p.pem")


def test_a_password_opens_an_encrypted_key_and_is_not_asked_of_another() -> None:
    own = signer(private("p256", "canary"), "canary", "k.pem")
    assert own.fingerprint == signer(private("p256"), "not needed", "k.pem").fingerprint
    assert own.fingerprint == verifier(public("p256"), "p.pem").fingerprint
    assert "sign=" not in repr(own)
