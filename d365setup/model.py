"""The values the whole house speaks in. Standard library only; everything here is frozen and does no I/O.

A playbook gives *specs* (what should be), an environment gives *lives* and *facts* (what is), their difference is a
*plan* of *changes*, changes become *writes*, and each change ends in an *outcome*.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]  # by Query.label


class Action(StrEnum):
    """What a change does to its thing."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Stage(IntEnum):
    """When a write may go out: things first, then the links between them, then what sends conversations there.

    What is taken away goes the other way round: routes are rewritten first, then links end, then things go.
    """

    THINGS = 1
    LINKS = 2
    ROUTES = 3
    UNLINKED = 4
    REMOVED = 5


@dataclass(frozen=True, order=True)
class ResourceId:
    """The name people read: ``queue:Nurses``."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"


@dataclass(frozen=True)
class Source:
    """Where in a playbook something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Source("", 0, 0)
_HIDDEN: Mapping[str, bool] = {"playbook": False}


def hidden(default: Any, *, compare: bool = False) -> Any:
    """Declare a spec field that no playbook can set: it is filled in while the spec is resolved."""
    return field(default=default, compare=compare, repr=False, metadata=_HIDDEN)


def join_key(*names: str) -> str:
    r"""Join names into a key; a ``/`` inside a name is written ``\/`` so that a key can be taken apart again."""
    return "/".join(name.replace("/", "\\/") for name in names)


def fold(name: str) -> str:
    """What is left of a name without case, white space and Unicode form: names that agree here are confusable."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


@dataclass(frozen=True)
class Place:
    """Where a kind's specs stand in a playbook.

    ``section`` is the top-level list. Without ``field`` its items are the specs. With ``field`` the specs are the
    items of that list inside each item of the section, and the spec's field named ``parent`` takes the outer item's
    name. With ``derived`` the specs have no text of their own: ``Spec.derive`` makes them from the outer spec.
    """

    section: str
    field: str = ""
    parent: str = ""
    derived: bool = False


@dataclass(frozen=True)
class Reference:
    """A name in a spec that must be declared elsewhere in the playbook. ``path`` leads to it inside the spec's item."""

    kind: str
    key: str
    path: tuple[str | int, ...]
    what: str  # for people: "queue", "context variable"
    shown: str = ""  # the name as written, when the key holds more than it
    within: str = ""  # only keys below this prefix can be what was meant


@dataclass(frozen=True)
class Mistake:
    """Something in a playbook that can be told without an environment."""

    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a playbook says about one thing. Subclasses add the fields; a field left out is None and is not compared."""

    kind: ClassVar[str]
    place: ClassVar[Place]

    name: str
    source: Source = field(default=NOWHERE, compare=False, repr=False, metadata=_HIDDEN)

    @property
    def key(self) -> str:
        """The name people read, unique within the kind."""
        return join_key(self.name)

    @property
    def identity(self) -> str:
        """What pairs this with a live row; a deterministic row id is made from it."""
        return self.key

    @cached_property
    def id(self) -> ResourceId:
        """Kind and key."""
        return ResourceId(self.kind, self.key)

    @property
    def only_refers(self) -> bool:
        """True where the playbook says ``existing: true``: it must be there and is never written."""
        return bool(getattr(self, "existing", False))

    @classmethod
    def derive(cls, outer: Spec, at: Callable[..., Source]) -> Iterator[Spec]:
        """Make the specs that an outer item implies; ``at(*path)`` says where a part of that item stands."""
        raise TypeError(f"{cls.__name__} is not derived from {outer.id} ({at()})")

    def references(self) -> Iterator[Reference]:
        """Yield every name this spec uses that must be declared elsewhere in the playbook."""
        yield from ()

    def check(self, desired: Desired) -> Iterator[Mistake]:  # noqa: ARG002  # subclasses look at the whole playbook
        """Yield what is wrong with this spec in the light of the whole playbook."""
        yield from ()


S = TypeVar("S", bound=Spec)
F = TypeVar("F")


def _sorted_out(
    known: dict[type, tuple[Any, ...]], wanted: type, values: tuple[Any, ...], told_by: Callable[[Any], Any]
) -> tuple[Any, ...]:
    """The values that are of one type, looked for once: every spec asks, and there may be thousands."""
    if wanted not in known:
        known[wanted] = tuple(each for each in values if isinstance(told_by(each), wanted))
    return known[wanted]


@dataclass(frozen=True)
class Desired:
    """Everything a playbook declares, in its order."""

    specs: tuple[Spec, ...] = ()

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, str], Spec]:
        return {(spec.kind, spec.key): spec for spec in self.specs}

    @cached_property
    def _sorted_out(self) -> dict[type, tuple[Any, ...]]:
        return {}

    def of(self, spec: type[S]) -> tuple[S, ...]:
        """All specs of one type."""
        return _sorted_out(self._sorted_out, spec, self.specs, lambda each: each)

    def find(self, kind: str, key: str) -> Spec | None:
        """The spec of that kind and key."""
        return self._by_id.get((kind, key))

    def only(self, ids: frozenset[ResourceId]) -> Desired:
        """The part of it that has these ids."""
        return Desired(tuple(spec for spec in self.specs if spec.id in ids))


@dataclass(frozen=True)
class Query:
    """One GET for rows, as a value. Kinds that need the same rows yield equal queries, and one request is sent.

    ``select`` empty reads every column: for columns that older environments lack, where naming them would be an error.
    ``key`` is the column with a row's id; the first one selected where it is not named.
    """

    label: str
    entity_set: str
    select: tuple[str, ...] = ()
    filter: str = ""
    expand: tuple[str, ...] = ()
    key: str = ""

    @property
    def row_key(self) -> str:
        """The column that holds a row's id."""
        return self.key or next(iter(self.select), "")

    def versions(self, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
        """Address and ETag of each row this query found."""
        for row in rows:
            if row.get("@odata.etag") and row.get(self.row_key):
                yield f"{self.entity_set}({row[self.row_key]})", row["@odata.etag"]


@dataclass(frozen=True)
class Environment:
    """Which environment this is, and what the platform says about itself and the caller. Ids are lower-case GUIDs.

    ``taken_at`` is when a snapshot of it was taken, where that is looked at in its place.
    """

    url: str
    organization_id: str
    name: str = ""
    user_id: str = ""
    root_business_unit: str = ""
    name_format: int = 0  # organization.fullnameconventioncode
    taken_at: str = ""


@dataclass(frozen=True)
class Live(Generic[S]):
    """A thing as found, and where it lives; ``row`` is what the service said, where one row is one thing."""

    spec: S
    row_id: str
    etag: str = ""
    managed: bool = False
    row: Row = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def pair(self) -> tuple[str, str]:
        """Kind and identity: what pairs it with a spec. Kept, because each look into an apply asks every life."""
        return (self.spec.kind, self.spec.identity)


@dataclass(frozen=True)
class Named:
    """A row seen by name only: to notice twins and names that differ in nothing a person would see."""

    kind: str
    identity: str
    shown: str
    row_id: str


@dataclass(frozen=True)
class LiveState:
    """Everything one wave of reading found: things that specs can describe (lives), and facts about the rest.

    ``versions`` has the ETag of every row that was read, by its address below the service root.
    """

    environment: Environment
    lives: tuple[Live[Any], ...] = ()
    facts: tuple[Any, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _by_identity(self) -> Mapping[tuple[str, str], Live[Any]]:
        return {live.pair: live for live in reversed(self.lives)}

    @cached_property
    def _sorted_out(self) -> dict[type, tuple[Any, ...]]:
        return {}

    @cached_property
    def _facts_sorted_out(self) -> dict[type, tuple[Any, ...]]:
        return {}

    def of(self, spec: type[S]) -> tuple[Live[S], ...]:
        """All lives of one type."""
        return _sorted_out(self._sorted_out, spec, self.lives, lambda live: live.spec)

    def find(self, kind: str, identity: str) -> Live[Any] | None:
        """The live thing of that kind and identity."""
        return self._by_identity.get((kind, identity))

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for each in self.known(Named):
            found.setdefault((each.kind, each.identity), set()).add(each.row_id)
        return {name: frozenset(rows) for name, rows in found.items()}

    def rows_named(self, kind: str, identity: str) -> frozenset[str]:
        """The ids of the rows that bear exactly this name, as far as rows were seen by name."""
        return self._named.get((kind, identity), frozenset())

    def known(self, fact: type[F]) -> tuple[F, ...]:
        """All facts of one type."""
        return _sorted_out(self._facts_sorted_out, fact, self.facts, lambda each: each)


Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Note:
    """Something only the environment could tell: an error stops all before the first write, a warning is shown."""

    severity: Severity
    id: ResourceId
    message: str
    source: Source = NOWHERE
    refused: bool = False  # an error of the sort "we could, but will not": exit 5 instead of 1


@dataclass(frozen=True)
class FieldChange:
    """One field, before and after; None before means the thing was not there."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One thing to create, update or take away. ``row_id`` and ``etag`` bind it to a row; people read the names."""

    action: Action
    id: ResourceId
    desired: Spec | None
    fields: tuple[FieldChange, ...] = ()
    reason: str = ""
    row_id: str = ""
    etag: str = ""
    manual: str = ""  # the step a person must take: nothing is written for this change

    @property
    def source(self) -> Source:
        """Whose line in the playbook asks for it."""
        return self.desired.source if self.desired else NOWHERE


Method = Literal["PATCH", "POST", "DELETE"]


@dataclass(frozen=True)
class Write:
    """One write, as a value, and the changes it carries out.

    ``needs`` names the changes without which it must not be tried. Writes of one stage that share a ``group`` go out in
    one change set. ``instead`` is a longer way to the same result, taken when an environment refuses the short one.
    ``before`` is what the body's columns hold now, in the form that writes them back; None where no row is updated.
    """

    stage: Stage
    method: Method
    path: str
    body: Mapping[str, Any] | None
    changes: tuple[ResourceId, ...]
    condition: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[ResourceId] = frozenset()
    group: str = ""
    instead: tuple[Write, ...] = ()
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Errand:
    """What is to be done on a playbook's other side: the Health Bot. A change without a write is a person's."""

    changes: tuple[Change, ...] = ()
    writes: tuple[Write, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What carrying out a plan takes: round trips in a row, HTTP requests, operations inside them."""

    round_trips: int = 0
    requests: int = 0
    operations: int = 0

    def and_then(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(
            self.round_trips + other.round_trips, self.requests + other.requests, self.operations + other.operations
        )


@dataclass(frozen=True)
class Plan:
    """What would be changed, and nothing else. Comparable and printable; applying it is another step."""

    environment: Environment
    playbook: str
    sha256: str
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    warnings: tuple[Note, ...] = ()
    cost: Cost = Cost()
    proof: Any = field(default=None, compare=False, repr=False)  # what the playbook's tests came to (`proof.Proof`)
    checklist: Any = field(default=None, compare=False, repr=False)  # what only a person can do (`healthbot.handwork`)

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` over what would be done to what; equal for equal plans on one environment."""
        shown = [
            [change.action.value, str(change.id), change.row_id, [[f.field, f.before, f.after] for f in change.fields]]
            for change in self.changes
        ]
        text = json.dumps([self.environment.organization_id, self.playbook, shown], sort_keys=True, default=str)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    @property
    def exit_code(self) -> int:
        """0 in line, 3 changes pending, 4 in line and a test of the playbook failed or a waiver has expired."""
        if self.changes:
            return 3
        is_expired = any(note.severity == "error" for note in self.warnings)
        return 4 if is_expired else self.proof.exit_code if self.proof else 0

    def with_cost(self, cost: Cost) -> Plan:
        """The same plan, priced."""
        return replace(self, cost=cost)


_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")


def canonical_guid(text: str) -> str:
    """Lower case, no braces. Raises ValueError when the text is no GUID."""
    found = _GUID.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a GUID")
    return found.group(1).lower()
