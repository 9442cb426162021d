"""What a loaded playbook is: the specs, and the parts that no kind owns (Health Bot, scenarios, tests)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from d365setup.model import NOWHERE, Desired, Source, hidden
from d365setup.playbook.variables import VariableUse

_PORTAL = re.compile(r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/account/[A-Za-z0-9][A-Za-z0-9_.-]*/?")
PORTAL = "https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3"
PORTAL_PATTERN = r"^https://[A-Za-z0-9.-]+/account/[A-Za-z0-9_.-]+/?$"
TRIGGER_PATTERN = r"^[a-z0-9_]+$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]*$"


def _portal(text: str) -> str:
    if not _PORTAL.fullmatch(text):
        raise ValueError(f"is no management address; copy it from the portal up to the tenant: {PORTAL}")
    return text.rstrip("/")


def _trigger(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]+", text):
        raise ValueError("may hold lower-case letters, digits and _ only, for example escalate_nurse")
    return text


def _playbook_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", text):
        raise ValueError("may hold lower-case letters, digits and - only: it becomes part of row ids")
    return text


def _printable(text: str) -> str:
    if text != text.strip() or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("begins or ends with white space, or holds a tab or line end")
    return text


# Limits of a hand-off message: a variable's name 100, a value 4,000 characters; a whole message 28 KB.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
VariableName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Number = Annotated[int, Field(strict=True)]
Values = dict[VariableName, Number | Text]
Yes = Annotated[bool, Field(strict=True)]
Portal = Annotated[
    str, AfterValidator(_portal), Field(json_schema_extra={"pattern": PORTAL_PATTERN, "examples": [PORTAL]})
]
Trigger = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(_trigger),
    Field(json_schema_extra={"pattern": TRIGGER_PATTERN, "examples": ["escalate_nurse"]}),
]
PlaybookName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60),
    AfterValidator(_playbook_name),
    Field(json_schema_extra={"pattern": NAME_PATTERN, "examples": ["contoso-health-bot"]}),
]


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a playbook says about itself."""

    name: PlaybookName
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    source: Source = hidden(NOWHERE)


@dataclass(frozen=True, kw_only=True)
class HealthBot:
    """The Health Bot itself: its management address."""

    portal: Portal
    source: Source = hidden(NOWHERE)

    @property
    def host(self) -> str:
        """The host of the management address."""
        return self.portal.split("/")[2]

    @property
    def tenant(self) -> str:
        """The bot's tenant name, the last part of the management address."""
        return self.portal.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Escalate:
    """Hand the conversation over; the summary is shown to the person who takes it, never to the patient."""

    summary: Text
    context: Values = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """Close the conversation."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A hand-off scenario of the Health Bot: it says something, then escalates or ends."""

    name: Annotated[Name, StringConstraints(max_length=100)]
    trigger: Trigger
    say: Text
    escalate: Escalate | None = None
    end: End | None = None
    source: Source = hidden(NOWHERE)


@dataclass(frozen=True)
class Expect:
    """What a test expects; what is None is not looked at. ``answered_by`` is `a person`, `nobody` or a bot's name."""

    queue: Name | None = None
    rule: Name | None = None
    answered_by: Name | None = None
    closed: Yes | None = None
    waits: Yes | None = None

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """The stated expectations, by name."""
        return ((name, value) for name, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class Transfer:
    """A person hands the conversation to a queue."""

    queue: Name


@dataclass(frozen=True)
class Step:
    """One thing that happens to a conversation (exactly one of the first four), and what is expected then."""

    start: Values | None = None
    escalate: Values | None = None
    transfer: Transfer | None = None
    end: End | None = None
    expect: Expect | None = None

    @property
    def action(self) -> Literal["start", "escalate", "transfer", "end"]:
        """What happens."""
        if self.start is not None:
            return "start"
        if self.escalate is not None:
            return "escalate"
        return "transfer" if self.transfer is not None else "end"

    @property
    def values(self) -> Mapping[str, str | int]:
        """The context variables this step sets."""
        return self.start or self.escalate or {}


@dataclass(frozen=True, kw_only=True)
class PlaybookTest:
    """A conversation to think through: the short form (given, expect), or steps. ``workstream`` is always filled in."""

    name: Name
    workstream: Name | None = None
    escalated_by: Name | None = None
    given: Values | None = None
    expect: Expect | None = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1)] | None = None
    source: Source = hidden(NOWHERE)
    places: Mapping[tuple[str | int, ...], Source] = field(  # where its steps and expectations stand
        default_factory=dict, compare=False, repr=False, metadata={"playbook": False}
    )

    def place(self, *path: str | int) -> Source:
        """Where a part of the test stands, as near as it is known: ``("steps", 1, "expect", "queue")``."""
        known = (self.places.get(path[:length]) for length in range(len(path), 0, -1))
        return next(filter(None, known), self.source)


@dataclass(frozen=True)
class Playbook:
    """A playbook without a mistake in it. ``sha256`` covers every file it was read from."""

    name: str
    description: str
    desired: Desired
    health_bot: HealthBot | None = None
    scenarios: tuple[Scenario, ...] = ()
    tests: tuple[PlaybookTest, ...] = ()
    sha256: str = ""
    files: tuple[str, ...] = ()
    variables: tuple[VariableUse, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()  # every file it was read from, by name: enough to load it again
