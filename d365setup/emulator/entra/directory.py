"""Who is registered: one tenant, its applications with their credentials, its people. A value, with a JSON form."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from ..users import ENTRA

TOKEN_EXCHANGE = "api://AzureADTokenExchange"  # noqa: S105  # the audience of federated assertions, no secret


class DirectoryError(ValueError):
    """A directory file that cannot be read; says where and what."""


@dataclass(frozen=True)
class Secret:
    """A client secret; `expires` in seconds since 1970, None for never."""

    value: str = field(repr=False)
    expires: float | None = None


@dataclass(frozen=True)
class Federated:
    """A federated credential: whose assertions are taken for the application's. Compared letter by letter."""

    issuer: str
    subject: str
    audience: str = TOKEN_EXCHANGE


@dataclass(frozen=True)
class Application:
    """An app registration with its service principal."""

    client_id: str
    name: str
    secrets: tuple[Secret, ...] = ()
    certificates: tuple[str, ...] = ()
    """Registered certificates, each in PEM."""
    subject_names: tuple[str, ...] = ()
    """Common names trusted when the certificate sent along (x5c) comes from one of the directory's authorities."""
    federated: tuple[Federated, ...] = ()
    public_client: bool = False
    """Whether "Allow public client flows" is on: device codes need it."""
    managed_identity: bool = False
    disabled: bool = False
    object_id: str = ""
    """Of its service principal; empty for the one the emulator makes up."""

    @property
    def principal(self) -> str:
        """The object id of its service principal."""
        return self.object_id or str(uuid.uuid5(ENTRA, self.client_id.lower()))


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in with a device code; `address` is the user principal name."""

    address: str
    object_id: str
    name: str = ""


@dataclass
class Directory:
    """One tenant. Applications and people may be put in while it serves."""

    tenant_id: str
    domain: str
    name: str = "Contoso"
    applications: dict[str, Application] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    authorities: tuple[str, ...] = ()
    """Certificate authorities behind `subject_names`, each in PEM."""
    issuers: dict[str, str] = field(default_factory=dict)
    """Public keys in PEM of further issuers of federated assertions; the stand-ins' own are known."""
    lifetime: int = 3599
    """Seconds a token lives."""
    device_code_lifetime: int = 900
    expired_device_code: Literal[70019, 70020] = 70019
    """The documentation says 70019; reports of 2022 and 2024 show 70020 on the wire."""

    def put(self, *entries: Application | Person) -> None:
        """Add entries, or replace those of the same id."""
        for entry in entries:
            if isinstance(entry, Application):
                self.applications[entry.client_id.lower()] = entry
            else:
                self.people[entry.address.lower()] = entry

    def change(self, client_id: str, **values: Any) -> None:
        """Replace fields of a registered application."""
        self.put(replace(self.applications[client_id.lower()], **values))

    def application(self, client_id: str) -> Application | None:
        """The application of that id."""
        return self.applications.get(client_id.lower())

    def is_tenant(self, name: str) -> bool:
        """Whether this tenant is meant: its id or its domain."""
        return name.lower() in {self.tenant_id.lower(), self.domain.lower()}

    def check(self) -> None:
        """Look at certificates and keys. Raises DirectoryError for one that cannot be read."""
        for application in self.applications.values():
            for n, text in enumerate(application.certificates):
                _check_pem(f"{application.client_id}.certificates[{n}]", text, x509.load_pem_x509_certificate)
        for n, text in enumerate(self.authorities):
            _check_pem(f"authorities[{n}]", text, x509.load_pem_x509_certificate)
        for issuer, text in self.issuers.items():
            _check_pem(f"issuers.{issuer}", text, serialization.load_pem_public_key)

    def to_json(self) -> str:
        """The JSON form; secrets stand in it as they are."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        shown["applications"] = [_shown(each) for each in self.applications.values()]
        shown["people"] = [_shown(each) for each in self.people.values()]
        return json.dumps(shown, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Directory:
        """Read the JSON form. Raises DirectoryError for anything unknown, missing or of the wrong type."""
        try:
            told = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DirectoryError(f"this is not JSON: {error}") from None
        values = _object("directory", told, cls)
        applications = [_application(n, each) for n, each in enumerate(_list(values, "applications"))]
        people = [Person(**_object(f"people[{n}]", each, Person)) for n, each in enumerate(_list(values, "people"))]
        values["authorities"] = _texts(values, "authorities", "authorities")
        if values.get("expired_device_code", 70019) not in (70019, 70020):  # no set: a list has no hash
            raise DirectoryError("expired_device_code must be 70019 or 70020")
        made = cls(**{**values, "applications": {}, "people": {}})
        made.put(*applications, *people)
        return made


def _check_pem(where: str, text: Any, load: Callable[[bytes], Any]) -> None:
    try:
        load(text.encode())
    except (AttributeError, ValueError, UnsupportedAlgorithm) as error:
        raise DirectoryError(f"{where} is no PEM text that can be read: {error}") from None


def _shown(entry: Any) -> dict[str, Any]:
    """What differs from the defaults."""
    found: dict[str, Any] = {}
    for each in fields(entry):
        value = getattr(entry, each.name)
        if value != each.default:
            found[each.name] = [_plain(one) for one in value] if isinstance(value, tuple) else value
    return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else _shown(value)


def _application(number: int, told: Any) -> Application:
    where = f"applications[{number}]"
    values = _object(where, told, Application)
    for name, kind in (("secrets", Secret), ("federated", Federated)):
        entries = enumerate(_list(values, name))
        values[name] = tuple(kind(**_object(f"{where}.{name}[{n}]", each, kind)) for n, each in entries)
    for name in ("certificates", "subject_names"):
        values[name] = _texts(values, name, f"{where}.{name}")
    return Application(**values)


def _texts(values: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = _list(values, name)
    if any(not isinstance(each, str) for each in found):
        raise DirectoryError(f"{where} must be a list of texts")
    return tuple(found)


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    found = values.get(name, [])
    if not isinstance(found, list):
        raise DirectoryError(f"{name} must be a list")
    return found


_SIMPLE: dict[str, Any] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float | None": (int, float, type(None)),
    "dict[str, str]": dict,
}


def _object(where: str, told: Any, kind: type) -> dict[str, Any]:
    """The fields of a JSON object that stands for a value of that kind."""
    if not isinstance(told, dict):
        raise DirectoryError(f"{where} must be an object")
    known = {each.name: each for each in fields(kind)}
    if unknown := sorted(set(told) - set(known)):
        raise DirectoryError(f"{where} has no field {unknown[0]!r}; it has {', '.join(known)}")
    for name, each in known.items():
        if name not in told and each.default is MISSING and each.default_factory is MISSING:
            raise DirectoryError(f"{where} needs {name!r}")
        expected = _SIMPLE.get(str(each.type))
        is_wrong = expected is not None and name in told and not isinstance(told[name], expected)
        if is_wrong or (each.type == "int" and isinstance(told.get(name), bool)):
            raise DirectoryError(f"{where}.{name} must be of type {each.type}")
    return dict(told)
