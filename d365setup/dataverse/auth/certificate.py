"""An app registration that signs in with a certificate: a PEM file with its key, or a PFX file.

The certificate travels with each assertion (x5c), so an app that trusts a subject name and issuer accepts it as well as
one that has this very certificate.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d365setup.dataverse.auth.application import Application
from d365setup.dataverse.auth.directory import Directory
from d365setup.dataverse.auth.refusal import SignInError
from d365setup.dataverse.auth.secret import Secret
from d365setup.dataverse.payload import one_line

if TYPE_CHECKING:
    from cryptography import x509

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, both as PEM, and when it counts."""

    key: Secret
    chain: str
    subject: str
    not_before: datetime
    not_after: datetime

    def check(self, now: datetime) -> None:
        """Raise SignInError for one that does not count yet, or no more."""
        if now > self.not_after:
            told = f"the certificate {self.subject} expired on {self.not_after:%Y-%m-%d}"
            raise SignInError(told, "make a new one, upload it to the app registration, and name its file")
        if now < self.not_before:
            told = f"the certificate {self.subject} counts from {self.not_before:%Y-%m-%d %H:%M} UTC on"
            raise SignInError(told, "check this machine's clock, or use the certificate that counts today")


class ClientCertificate(Application):
    """An app registration that signs in with a certificate. Raises SignInError for one that has expired."""

    cure = "check tenant, client id and certificate"

    def __init__(self, directory: Directory, client_id: str, certificate: Certificate) -> None:
        super().__init__(directory, client_id)
        self.certificate = certificate

    @property
    def expires(self) -> float:
        """When the certificate ends, in seconds since 1970."""
        return self.certificate.not_after.timestamp()

    def _proof(self) -> Any:
        self.certificate.check(datetime.now(UTC))
        return {"private_key": self.certificate.key.reveal(), "public_certificate": self.certificate.chain}

    def _secrets(self) -> tuple[str, ...]:
        return (self.certificate.key.reveal(),)


def load(path: Path, password: str = "") -> Certificate:
    """Certificate and key from a PEM or PFX file. Raises ValueError saying what is wrong with the file."""
    data = _read(path)
    if b"-----BEGIN " in data:
        return _from_pem(path, data, password)
    return _from_pfx(path, data, password)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the certificate file {path} cannot be read: {error.strerror}") from None
    if not data.strip():
        raise ValueError(f"the certificate file {path} is empty")
    if len(data) > MAX_BYTES:
        raise ValueError(f"the certificate file {path} is too large to be one")
    return data


def _from_pem(path: Path, data: bytes, password: str) -> Certificate:
    from cryptography import x509  # noqa: PLC0415  # slow to load, and this way of signing in only needs it

    has_key, has_certificate = b"PRIVATE KEY-----" in data, b"-----BEGIN CERTIFICATE-----" in data
    if has_key and not has_certificate:
        raise ValueError(f"{path} holds a private key alone: put the certificate into the same file, behind the key")
    if has_certificate and not has_key:
        raise ValueError(f"{path} holds a certificate alone: put its private key into the same file, before it")
    if not has_key:
        raise ValueError(f"{path} holds neither a certificate nor a private key")
    key = _pem_key(path, data, password)
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError(f"the certificate in {path} cannot be read: it is damaged") from None
    return _matched(path, key, certificates)


def _pem_key(path: Path, data: bytes, password: str) -> Any:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above

    is_locked = b"ENCRYPTED" in data
    if is_locked and not password:
        raise ValueError(f"the private key in {path} is encrypted: set D365_CERTIFICATE_PASSWORD")
    begin = data.index(b"-----BEGIN ", max(0, data.rindex(b"-----BEGIN ", 0, data.index(b"PRIVATE KEY-----"))))
    try:
        return serialization.load_pem_private_key(data[begin:], password.encode() if is_locked else None)
    except (ValueError, TypeError):
        why = "the password is wrong, or the key is damaged" if is_locked else "it is damaged"
        raise ValueError(f"the private key in {path} cannot be read: {why}") from None


def _from_pfx(path: Path, data: bytes, password: str) -> Certificate:
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415  # as above

    try:
        key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode() if password else None)
    except ValueError:
        why = "the password does not open it" if password else "it needs a password: set D365_CERTIFICATE_PASSWORD"
        is_pfx = data[:1] == b"\x30"  # DER of a PFX begins with a SEQUENCE
        told = why if is_pfx else "it is neither a PEM file nor a PFX file"
        raise ValueError(f"the certificate file {path} cannot be used: {told}") from None
    if key is None or certificate is None:
        raise ValueError(f"{path} must hold both a certificate and its private key")
    return _matched(path, key, [certificate, *others])


def _matched(path: Path, key: Any, certificates: "list[x509.Certificate]") -> Certificate:
    """The certificate that belongs to the key, whatever the order in the file."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  # as above

    if not isinstance(key, rsa.RSAPrivateKey):
        told = f"the private key in {path} is no RSA key: Entra accepts RSA only for signing in"
        raise ValueError(told)  # noqa: TRY004  # it is the file that is wrong, not the call
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    mine = key.public_key().public_bytes(serialization.Encoding.DER, spki)
    own = [each for each in certificates if each.public_key().public_bytes(serialization.Encoding.DER, spki) == mine]
    if not own:
        raise ValueError(f"the private key in {path} does not belong to the certificate in it")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    ordered = [own[0], *(each for each in certificates if each is not own[0])]
    return Certificate(
        Secret(pem.decode()),
        "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in ordered),
        one_line(own[0].subject.rfc4514_string(), 200),
        own[0].not_valid_before_utc,
        own[0].not_valid_after_utc,
    )
