"""What a fleet file says, as values. The annotations alone say what is accepted; the JSON Schema is made of them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from d365setup.dataverse.address import Address
from d365setup.model import NOWHERE, Source, canonical_guid, hidden

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"  # a name is a folder's too
VARIABLE = r"^[A-Z][A-Z0-9_]{1,127}$"
_WAVE = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99}|[0-9]{1,3}%)$"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z")
_PAUSE = re.compile(r"([0-9]{1,4})([smh])")
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _url(text: str) -> str:
    try:
        return Address.parse(text).origin
    except ValueError as error:
        told = str(error)  # one that begins with the address is a sentence of its own
        raise ValueError(f"cannot be used: {told}" if told[:1].isalpha() else told) from None


def _moment(text: str) -> str:
    try:
        moment(text, is_end=False)
    except ValueError:
        told = "is no day and no time: write 2027-01-03, or 2027-01-03T18:00Z (UTC)"
        raise ValueError(told) from None
    return text


def _pause(text: str) -> str:
    if not _PAUSE.fullmatch(text):
        raise ValueError("is no time: write it like 90s, 10m or 2h")
    return text


def _digits(value: object) -> object:
    """A number without its % is told as what it lacks, not as a type."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        told = "is no name: it has letters, digits, '.', '_' and '-', a letter or digit first, 100 at most"
        raise ValueError(told)
    return text


def _share(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}%", text) or int(text[:-1]) > 100:
        raise ValueError("is no share: write it like 10%")
    return text


def _organization(text: str) -> str:
    """An id as the service writes it, or a name."""
    if not text.strip():
        raise ValueError("is empty, and would expect nothing; name the organization or its id")
    with suppress(ValueError):
        return canonical_guid(text)
    return text


def _wave(text: str) -> str:
    if not re.fullmatch(_WAVE, text):
        raise ValueError("is no wave: write a group, a label, a name, a share like 10%, or rest")
    if text.endswith("%") and not 1 <= int(text[:-1]) <= 100:
        raise ValueError("is no share of the environments: write it like 10%")
    return text


def is_variable(text: str) -> bool:
    """Whether it can be the name of an environment variable that we may repeat to people."""
    return bool(re.fullmatch(VARIABLE, text)) and ("_" in text or len(text) <= 20)


def _reference(text: str) -> str:
    if not is_variable(text):
        raise ValueError("is no name of an environment variable, in capitals like NORTH_SECRET; never write a value")
    return text


def _public(text: str) -> str:
    """An id is no secret: it may stand here itself, or the name of the variable that holds it."""
    if _DOMAIN.fullmatch(text) or is_variable(text):
        return text
    try:
        return canonical_guid(text)
    except ValueError:
        raise ValueError("is neither an id nor the name of an environment variable in capitals") from None


Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME, "examples": ["north"]})]
Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"examples": ["https://contoso.crm.dynamics.com"]})]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Reference = Annotated[
    str, AfterValidator(_reference), Field(json_schema_extra={"pattern": VARIABLE, "examples": ["NORTH_SECRET"]})
]
Public = Annotated[
    str, AfterValidator(_public), Field(json_schema_extra={"examples": ["5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"]})
]
Moment = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"examples": ["2027-01-03"]})]
Pause = Annotated[str, AfterValidator(_pause), Field(json_schema_extra={"examples": ["10m"]})]
Share = Annotated[
    str, BeforeValidator(_digits), AfterValidator(_share), Field(json_schema_extra={"pattern": "^[0-9]{1,3}%$"})
]
WaveName = Annotated[str, AfterValidator(_wave), Field(json_schema_extra={"pattern": _WAVE, "examples": ["canary"]})]
Organization = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_organization),
    Field(json_schema_extra={"examples": ["Contoso Health"]}),
]
Labels = Annotated[tuple[Name, ...], Field(max_length=50)]
Variables = Annotated[dict[Text, Text], Field(max_length=200)]
Count = Annotated[int, Field(ge=0, le=100_000)]

WAYS = ("secret", "token", "certificate", "federated_token_file", "federated", "managed_identity")


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """Who signs in, by reference: secrets are named by the environment variable that holds them, never written."""

    tenant_id: Public | None = None
    client_id: Public | None = None
    secret: Reference | None = None
    token: Reference | None = None
    certificate: Text | None = None
    certificate_password: Reference | None = None
    federated_token_file: Text | None = None
    federated: Literal["github", "azure-pipelines"] | None = None
    service_connection: Public | None = None
    managed_identity: Public | Literal["system"] | None = None
    healthbot_secret: Reference | None = None
    healthbot_resource: Text | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways it names; one is right."""
        return tuple(each for each in WAYS if getattr(self, each) is not None)

    @property
    def references(self) -> tuple[str, ...]:
        """The environment variables that hold its secrets."""
        named = (self.secret, self.token, self.certificate_password, self.healthbot_secret)
        return tuple(filter(None, named))


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment of the fleet; what it leaves out comes from the top of the file."""

    name: Name
    url: Url
    organization: Organization | None = None
    group: Name | None = None
    labels: Labels = ()
    playbook: Text | None = None
    variables: Variables = field(default_factory=dict)
    sign_in: SignIn | None = None
    source: Source = hidden(NOWHERE)

    def is_called(self, word: str) -> bool:
        """Whether a wave, a freeze or a selector of that word means it."""
        return word in (self.name, self.group, *self.labels)


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A time in which nothing is applied: to all environments, or those that ``only`` names by name, group, label."""

    begins: Moment
    ends: Moment
    reason: Text
    only: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    excepted: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    source: Source = hidden(NOWHERE)

    def holds(self, environment: Environment, now: datetime) -> bool:
        """Whether nothing may be applied to this environment now."""
        meant = not self.only or any(environment.is_called(each) for each in self.only)
        now_inside = moment(self.begins, is_end=False) <= now < moment(self.ends, is_end=True)
        return meant and now_inside and environment.name not in self.excepted


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What no playbook and no option can loosen: removals by kind, and whether anything may be pruned."""

    removals: Annotated[dict[str, Count], Field(max_length=100)] = field(default_factory=dict)
    prune: bool = True


@dataclass(frozen=True, kw_only=True)
class Wave:
    """A group, a label, a share such as 10%, or ``rest``; and what comes between it and the next one."""

    of: WaveName
    pause: Pause = "0s"
    gate: bool = False

    @property
    def seconds(self) -> float:
        """How long to wait behind it."""
        return int(self.pause[:-1]) * _UNITS[self.pause[-1]]


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a fleet file says beside its environments."""

    playbook: Text | None = None
    variables: Variables = field(default_factory=dict)
    sign_in: SignIn | None = None
    environments_from: Text | None = None
    limits: Limits | None = None
    max_failed: Share | None = None


@dataclass(frozen=True)
class Fleet:
    """A fleet file without a mistake: every environment has its playbook (a path), variables and sign-in."""

    file: str
    environments: tuple[Environment, ...]
    freeze: tuple[Freeze, ...] = ()
    limits: Limits = field(default_factory=Limits)
    waves: tuple[Wave, ...] = ()
    max_failed: int | None = None  # percent; None where the file does not say

    @property
    def references(self) -> frozenset[str]:
        """Every environment variable that holds a secret of one of them."""
        return frozenset(name for each in self.environments if each.sign_in for name in each.sign_in.references)


def settled(given: Environment, head: Head, folder: str) -> Environment:
    """An environment with what the top of the file gives it; its playbook is a path from where we are."""
    playbook = given.playbook or head.playbook
    path = str(Path(folder) / playbook) if playbook else None
    return replace(
        given, playbook=path, variables=head.variables | given.variables, sign_in=given.sign_in or head.sign_in
    )


def moment(text: str, *, is_end: bool) -> datetime:
    """A day or a time, in UTC; as an end, a day counts whole. Raises ValueError."""
    if _DAY.fullmatch(text):
        day = date.fromisoformat(text) + timedelta(days=1 if is_end else 0)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
