"""Certificates: the one we serve with, and self-signed ones for applications to sign in with."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ("localhost", "127.0.0.1")
_DAYS = 397  # the most that browsers accept of a server certificate
_RENEWED_BEFORE = datetime.timedelta(days=7)
_AUTHORITY_NAME = "d365setup emulator, this machine only"


@dataclass(frozen=True)
class ServerFiles:
    """Where the CA certificate and the server's certificate with its key are kept."""

    ca_bundle: Path
    server: Path

    @classmethod
    def kept_in(cls, folder: Path) -> ServerFiles:
        """Those of a folder; made when there are none, or when they soon expire.

        The CA's own key is thrown away: who trusts the CA file trusts this one certificate and nothing else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        files = cls(folder / "ca.pem", folder / "server.pem")
        if not files._usable():
            files._make()
        return files

    def _usable(self) -> bool:
        try:
            ca = x509.load_pem_x509_certificate(self.ca_bundle.read_bytes())
            server = x509.load_pem_x509_certificate(self.server.read_bytes())
            server.verify_directly_issued_by(ca)
        except (OSError, ValueError, TypeError, InvalidSignature):
            return False
        return server.not_valid_after_utc - _RENEWED_BEFORE > _now()

    def _make(self) -> None:
        ca_key = new_key()
        ca_name = _name(_AUTHORITY_NAME)
        ca = _builder(ca_name, ca_name, ca_key.public_key(), _DAYS)
        ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        ca = ca.add_extension(_key_usage(signs_certificates=True), critical=True)
        key = new_key()
        server = _builder(_name("localhost"), ca_name, key.public_key(), _DAYS)
        server = server.add_extension(_alternative_names(), critical=False)
        server = server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        server = server.add_extension(_key_usage(signs_certificates=False), critical=True)
        server = server.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        server = server.add_extension(issuer, critical=False)
        write_private(self.server, key_pem(key) + _pem(server.sign(ca_key, hashes.SHA256())))
        replace(self.ca_bundle, _pem(ca.sign(ca_key, hashes.SHA256())), 0o644)


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate with its key, as an application signs in with."""

    key: rsa.RSAPrivateKey
    x509: x509.Certificate

    @property
    def certificate(self) -> str:
        """The certificate alone, in PEM."""
        return _pem(self.x509).decode()

    @property
    def pem(self) -> str:
        """Key and certificate in one PEM text."""
        return key_pem(self.key).decode() + self.certificate

    @property
    def thumbprint(self) -> str:
        """SHA-1 in upper-case hexadecimal digits, as the portal shows it."""
        return thumbprint(self.x509)

    def encrypted_pem(self, password: str) -> str:
        """The same with the key under a password."""
        sealed = serialization.BestAvailableEncryption(password.encode())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        return self.key.private_bytes(*form, sealed).decode() + self.certificate

    def pfx(self, password: str) -> bytes:
        """Both as a PFX (PKCS #12) file under a password."""
        sealed = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(b"d365setup", self.key, self.x509, None, sealed)


def make_certificate(
    name: str, *, days: int = 365, starts: int = 0, issuer: ClientCertificate | None = None
) -> ClientCertificate:
    """Return a new certificate, self-signed without `issuer`; `starts` in days from now, so -9 with 3 days is old."""
    key = new_key()
    issuer_name = issuer.x509.subject if issuer else _name(name)
    made = _builder(_name(name), issuer_name, key.public_key(), days, starts)
    made = made.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    return ClientCertificate(key, made.sign(issuer.key if issuer else key, hashes.SHA256()))


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 in upper-case hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303  # a name, as x5t defines it, not a proof


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name; empty without one."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def unpadded(data: bytes) -> str:
    """Base64 as JSON Web Tokens write it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> rsa.RSAPrivateKey:
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """A key in PEM, without a password."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return key.private_bytes(*form, serialization.NoEncryption())


def write_private(path: Path, data: bytes) -> None:
    """Write a file only its owner can read."""
    replace(path, data, 0o600)


def replace(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is there completely or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    part.replace(path)


def _builder(
    name: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, days: int, starts: int = 0
) -> x509.CertificateBuilder:
    start = _now() + datetime.timedelta(days=starts, minutes=-5)  # a clock may be a little behind ours
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=days))
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        key_encipherment=not signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names() -> x509.SubjectAlternativeName:
    addresses = [x509.IPAddress(ipaddress.ip_address(name)) for name in NAMES if name[0].isdigit()]
    return x509.SubjectAlternativeName([*(x509.DNSName(name) for name in NAMES if name[0].isalpha()), *addresses])


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
