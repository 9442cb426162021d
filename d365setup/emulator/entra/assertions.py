"""Client assertions: signed with a registered certificate, or by an issuer a federated credential names."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from .certificates import common_name, thumbprint, unpadded
from .directory import Application, Directory
from .errors import SignInError, invalid_client, invalid_request
from .tokens import Untrusted, is_current, unverified, verified

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FEDERATION = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
_CREDENTIALS = "https://learn.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials"
_MAX_CHAIN = 5


@dataclass(frozen=True)
class Presented:
    """An assertion as it came in; nothing in it is believed yet."""

    text: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    client_id: str
    now: float

    def claim(self, name: str) -> str:
        """A claim's text."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""

    def thumbprint(self, name: str) -> str:
        """A thumbprint of the header; MSAL leaves base64's padding on, others take it off."""
        return str(self.header.get(name, "")).rstrip("=")

    @property
    def is_own(self) -> bool:
        """Whether the application speaks of itself, as with a certificate."""
        return self.claim("iss").lower() == self.client_id.lower() or not {"x5t", "x5t#S256"}.isdisjoint(self.header)


def check_assertion(
    directory: Directory,
    application: Application,
    text: str,
    audiences: Sequence[str],
    issuers: Mapping[str, Any],
    now: float,
) -> str:
    """Accept an assertion and return how (`appidacr`); raises SignInError."""
    try:
        header, claims = unverified(text)
    except Untrusted:
        raise invalid_request(50027, "JWT token is invalid or malformed.") from None
    presented = Presented(text, header, claims, application.client_id, now)
    if presented.is_own:
        _check_certificate(directory, application, presented, audiences)
    else:
        _check_federated(application, presented, issuers)
    return "2"  # appidacr: with a certificate or a federated credential; "1" would be a secret


def _check_certificate(
    directory: Directory, application: Application, presented: Presented, audiences: Sequence[str]
) -> None:
    for name in ("iss", "sub"):
        if presented.claim(name).lower() != application.client_id.lower():
            told = "Client assertion application identifier doesn't match 'client_id' parameter."
            raise invalid_client(700021, told)
    certificate = _registered(application, presented) or _trusted_chain(directory, application, presented)
    if certificate is None:
        raise _no_key(presented, "The key was not found.")
    _check_signature(certificate, presented)
    if presented.claim("aud") not in audiences:
        told = "Client assertion audience claim does not match Realm issuer. Review the documentation at"
        raise invalid_client(700023, f"{told} {_CREDENTIALS}.")
    _check_times(presented)


def _registered(application: Application, presented: Presented) -> x509.Certificate | None:
    for text in application.certificates:
        certificate = x509.load_pem_x509_certificate(text.encode())
        names = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}  # noqa: S303  # SHA-1 as a name, not a proof
        for name, algorithm in names.items():
            if presented.thumbprint(name) == unpadded(certificate.fingerprint(algorithm)):
                return certificate
    return None


def _trusted_chain(directory: Directory, application: Application, presented: Presented) -> x509.Certificate | None:
    """The certificate sent along, when subject name and issuer are trusted."""
    chain = presented.header.get("x5c")
    if not application.subject_names or not isinstance(chain, list) or not 0 < len(chain) <= _MAX_CHAIN:
        return None
    try:
        leaf = x509.load_der_x509_certificate(base64.b64decode("".join(str(chain[0]).split()), validate=True))
    except (TypeError, ValueError, binascii.Error):
        return None
    if common_name(leaf) in application.subject_names and any(_issued(leaf, each) for each in directory.authorities):
        return leaf
    return None


def _issued(leaf: x509.Certificate, authority: str) -> bool:
    try:
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _check_signature(certificate: x509.Certificate, presented: Presented) -> None:
    try:
        verified(presented.text, certificate.public_key())
    except Untrusted:
        told = "The provided signature value did not match the expected signature value."
        raise _no_key(
            presented, told, thumbprint(certificate), "Client assertion failed signature validation."
        ) from None
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not starts.timestamp() <= presented.now < ends.timestamp():
        raise _no_key(presented, "The key used is expired.", thumbprint(certificate))


def _no_key(presented: Presented, reason: str, used: str = "", text: str = "") -> SignInError:
    said = text or (
        "The certificate with identifier used to sign the client assertion is not registered on application."
    )
    where = (
        "Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id "
        f"'{presented.client_id}'."
    )
    shown = used or _hexadecimal(presented.thumbprint("x5t") or presented.thumbprint("x5t#S256"))
    return invalid_client(700027, f"{said} [Reason - {reason}, Thumbprint of key used by client: '{shown}', {where}]")


def _hexadecimal(value: str) -> str:
    try:
        return base64.urlsafe_b64decode(value + "==").hex().upper()[:64]
    except ValueError:
        return ""


def _check_federated(application: Application, presented: Presented, issuers: Mapping[str, Any]) -> None:
    """Issuer, subject and audience together must be one credential's; the message names the first that is nobody's."""
    left = application.federated
    for number, name, claim in ((700211, "issuer", "iss"), (700213, "subject", "sub"), (700212, "audience", "aud")):
        given = presented.claim(claim)
        left = tuple(each for each in left if getattr(each, name) == given)
        if not left:
            told = f"No matching federated identity record found for presented assertion {name} '{given[:500]}'."
            check = (
                "Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
            )
            raise invalid_client(number, f"{told} {check} {_FEDERATION}")
    key = issuers.get(presented.claim("iss"))
    try:
        verified(presented.text, key)
    except Untrusted as refused:
        told = f"Assertion failed signature validation. [Reason - {refused}.]"
        raise invalid_client(50013, told) from None
    _check_times(presented)


def _check_times(presented: Presented) -> None:
    if is_current(presented.claims, presented.now):
        return
    shown = (_stamp(presented.now), _stamp(presented.claims.get("nbf", 0)), _stamp(presented.claims.get("exp")))
    told = "Current time: {}, assertion valid from {}, expiry time of assertion {}.".format(*shown)
    raise invalid_client(700024, f"Client assertion is not within its valid time range. {told}")


def _stamp(moment: Any) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(moment)))
    except (TypeError, ValueError, OverflowError, OSError):
        return "unknown"
