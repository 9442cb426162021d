"""Detached signatures of evidence, with a key the user has: Ed25519, ECDSA, or RSA (PSS), by `cryptography`.

The signature is the raw one, so that `openssl` can check it without us (`docs/evidence.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from d365setup.errors import UsageError
from d365setup.evidence.chain import sha256

PASSWORD = "D365_EVIDENCE_KEY_PASSWORD"  # noqa: S105  # the name of a variable, not a password
SHORTEST_RSA = 2048  # bits; NIST SP 800-131A allows no shorter one for new signatures
_KINDS = "an Ed25519, ECDSA or RSA key"
_PSS = PSS(mgf=MGF1(SHA256()), salt_length=PSS.DIGEST_LENGTH)


@dataclass(frozen=True)
class Signer:
    """Signs. ``fingerprint`` is the SHA-256 of the public key, as in the evidence."""

    fingerprint: str
    sign: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True)
class Verifier:
    """Says whether a signature is of these bytes and by this key."""

    fingerprint: str
    holds: Callable[[bytes, bytes], bool] = field(repr=False)


def signer(pem: bytes, password: str, name: str) -> Signer:
    """From a private key. Raises UsageError for what is none, a wrong password, a key of another kind."""
    if b"PRIVATE KEY-----" not in pem:
        raise UsageError(f"{name} holds no private key: it takes a PEM file with {_KINDS}")
    encrypted = b"ENCRYPTED" in pem
    if encrypted and not password:
        raise UsageError(f"{name} is encrypted: set {PASSWORD} to its password")
    try:
        key = load_pem_private_key(pem, password.encode() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        cure = f"{PASSWORD} does not open it, or it is damaged" if encrypted else "it is damaged, or of no known kind"
        raise UsageError(f"{name} cannot be used: {cure}") from None
    _check(key, name)
    if isinstance(key, Ed25519PrivateKey):
        return Signer(_fingerprint(key.public_key()), key.sign)
    if isinstance(key, EllipticCurvePrivateKey):
        curve = key
        return Signer(_fingerprint(curve.public_key()), lambda data: curve.sign(data, ECDSA(SHA256())))
    if isinstance(key, RSAPrivateKey):
        rsa = key
        return Signer(_fingerprint(rsa.public_key()), lambda data: rsa.sign(data, _PSS, SHA256()))
    raise UsageError(f"{name} is a key of another kind: it takes {_KINDS}")


def verifier(pem: bytes, name: str) -> Verifier:
    """From a public key. Raises UsageError for what is none, or a key of another kind."""
    if b"PRIVATE KEY-----" in pem:
        raise UsageError(f"{name} holds a private key: give the public one, which everybody may have")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{name} holds no public key: it takes a PEM file with {_KINDS}") from None
    _check(key, name)
    if isinstance(key, Ed25519PublicKey):
        plain = key
        return Verifier(_fingerprint(plain), _checked(lambda data, given: plain.verify(given, data)))
    if isinstance(key, EllipticCurvePublicKey):
        curve = key
        return Verifier(_fingerprint(curve), _checked(lambda data, given: curve.verify(given, data, ECDSA(SHA256()))))
    if isinstance(key, RSAPublicKey):
        rsa = key
        return Verifier(_fingerprint(rsa), _checked(lambda data, given: rsa.verify(given, data, _PSS, SHA256())))
    raise UsageError(f"{name} is a key of another kind: it takes {_KINDS}")


def _check(key: object, name: str) -> None:
    if isinstance(key, RSAPrivateKey | RSAPublicKey) and key.key_size < SHORTEST_RSA:
        raise UsageError(f"{name} is an RSA key of {key.key_size} bits: {SHORTEST_RSA} is the least")


def _checked(verify: Callable[[bytes, bytes], None]) -> Callable[[bytes, bytes], bool]:
    def holds(data: bytes, given: bytes) -> bool:
        try:
            verify(data, given)
        except InvalidSignature:
            return False
        return True

    return holds


def _fingerprint(key: Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey) -> str:
    return "sha256:" + sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
