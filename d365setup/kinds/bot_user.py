"""Bot users: the application user that stands for a bot in Omnichannel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from d365setup.kinds import adoption, capacity
from d365setup.kinds.base import Column, TableKind, distinct, stays, taken_away
from d365setup.kinds.fields import Email, Flag, Guid, Name100, Name200, Units
from d365setup.kinds.filters import alternatives, quoted
from d365setup.kinds.leaving import afterwards, marked, memberships, routes_of
from d365setup.kinds.usage import bot_uses, known_usage
from d365setup.model import (
    Change,
    Desired,
    FieldChange,
    Live,
    Mistake,
    Note,
    Place,
    Query,
    Row,
    Rows,
    Spec,
    Stage,
    Write,
    hidden,
)
from d365setup.scope import Scope

AGENT_ROLE = "Omnichannel agent"


@dataclass(frozen=True, kw_only=True)
class BotUser(Spec):
    """A bot, as the playbook names it; its row is found by the Entra application id."""

    kind: ClassVar[str] = "bot_user"
    place: ClassVar[Place] = Place("bot_users")

    name: Name200
    application_id: Guid
    bot_application_id: Guid | None = None
    email: Email | None = None
    roles: Annotated[tuple[Name100, ...], Field(min_length=1)] = (AGENT_ROLE,)
    capacity: Literal["highest", "maximum"] | Units = "highest"
    existing: Flag = False
    agent_type: str | None = hidden("bot application user", compare=True)
    provider: str | None = hidden("other", compare=True)
    access_mode: str | None = hidden("non-interactive", compare=True)
    enabled: bool = hidden(True, compare=True)  # noqa: FBT003
    capacity_reason: str = hidden("")
    found: adoption.Found | None = hidden(None)  # on a live row: what it says beside these fields

    @property
    def identity(self) -> str:
        """One row per Entra application and environment."""
        return self.application_id

    def check(self, desired: Desired) -> Iterator[Mistake]:
        """A bot to be made needs its bot id and an address; what two bots of a playbook cannot share."""
        if not self.existing:
            if self.bot_application_id is None:
                told = "bot_application_id is missing: the bot ID shown when the Omnichannel channel is enabled"
                yield Mistake((), told)
            if self.email is None:
                yield Mistake((), "email is missing: the platform requires an address, a made-up one will do")
        for other in takewhile(lambda each: each.name != self.name, desired.of(BotUser)):
            if self.bot_application_id and other.bot_application_id == self.bot_application_id:
                told = f"{other.name} has this bot ID too, and Omnichannel cannot tell two such users apart"
                yield Mistake(("bot_application_id",), told)
        if "@" in self.name:
            told = "a bot's name cannot hold '@': among a queue's members it would be taken for an e-mail address"
            yield Mistake(("name",), told)
        yield from capacity.clashes(self, desired)


AGENT_TYPES = {"application user": 192350000, "bot application user": 192350001}
PROVIDERS = {"virtual agent": 192350000, "other": 192350001, "none": 192350002}
ACCESS_MODES = {
    "read-write": 0,
    "administrative": 1,
    "read": 2,
    "support user": 3,
    "non-interactive": 4,
    "delegated admin": 5,
}
SELECT = (
    "systemuserid",
    "fullname",
    "firstname",
    "middlename",
    "lastname",
    "internalemailaddress",
    "applicationid",
    "_businessunitid_value",
    "isdisabled",
    "deletedstate",
    "accessmode",
    "msdyn_agentType",  # the capital T is the column's logical name
    "msdyn_botapplicationid",
    "msdyn_botprovider",
    "msdyn_capacity",
)
_BOT_COLUMNS = ("msdyn_agentType", "msdyn_botapplicationid", "msdyn_botprovider", "msdyn_capacity")


class BotUsers(TableKind[BotUser]):
    """Rows of systemuser that are bots."""

    kind = BotUser.kind
    spec = BotUser
    entity_set = "systemusers"
    row_key = "systemuserid"
    label = "bot users"
    columns = {
        "name": Column("lastname"),
        "email": Column("internalemailaddress"),
        "application_id": Column("applicationid"),
        "bot_application_id": Column("msdyn_botapplicationid"),
        "capacity": Column("msdyn_capacity"),
        "agent_type": Column("msdyn_agentType", AGENT_TYPES),
        "provider": Column("msdyn_botprovider", PROVIDERS),
        "access_mode": Column("accessmode", ACCESS_MODES),
    }
    compared = ("name", "email", "bot_application_id", "capacity", "agent_type", "provider", "access_mode", "enabled")
    changes_users = True
    fate = "it is disabled, not deleted: a deleted one would keep its application id from being used again"

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """Rows that carry one of the application ids or one of the bot ids, soft-deleted ones too.

        For pruning, all bots.
        """
        yield from self.readback(wanted)
        if self.widely:
            yield _bots("applicationid ne null and msdyn_botapplicationid ne null", self.label)

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The bots themselves."""
        bots = changed.of(BotUser)
        ids = [bot.bot_application_id for bot in bots if bot.bot_application_id]
        return bot_queries([bot.application_id for bot in bots], ids)

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Lives of the rows with an application id, and every row as a fact: twins and leftovers must be seen."""
        for row in distinct(rows.get(self.label, ()), self.row_key):
            yield adoption.bot_row(row)
        yield from super().from_rows(rows)

    def from_row(self, row: Row) -> BotUser | None:
        """A row without application id is a person, a soft-deleted one is gone until it blocks."""
        if not row.get("applicationid") or row.get("deletedstate"):
            return None
        fields = {
            **self.read(row),
            "name": row.get("fullname") or "",
            "application_id": row["applicationid"].lower(),
            "bot_application_id": adoption.bare_guid(row.get("msdyn_botapplicationid")) or None,
        }
        return BotUser(**fields, enabled=not row.get("isdisabled"), found=adoption.found(row))

    def resolve(self, desired: BotUser, scope: Scope) -> Iterator[BotUser | Note]:
        """`highest` becomes a number; a row that must not be adopted is told."""
        live = scope.live.find(self.kind, desired.identity)
        for problem in adoption.obstacles(desired, live, scope.live):
            yield Note("error", desired.id, problem, desired.source)
        if live and adoption.is_overridden(desired, live.spec.found):
            yield Note("warning", desired.id, adoption.kept_name(live.spec.name, desired.name), desired.source)
        if desired.existing:
            yield from _idle(desired, live)
            yield desired
            return
        outcome = capacity.settle(desired, live, scope)
        yield from outcome.notes
        yield replace(desired, capacity=outcome.units, capacity_reason=outcome.reason)

    def differences(self, desired: BotUser, live: Live[BotUser]) -> Iterator[FieldChange]:
        """As for any row, but the platform may keep the name it took from Entra."""
        for change in super().differences(desired, live):
            if change.field != "name" or not adoption.is_overridden(desired, live.spec.found):
                yield change

    def strays(self, scope: Scope) -> Iterator[Live[BotUser] | Note]:
        """Bots of ours that are enabled; one that a work stream has as its bot, or a queue needs, stays."""
        after = afterwards(scope)
        for live in marked(self.kind, scope):
            if live.row_id in after.bots:
                yield live
            elif live.spec.enabled:
                queues = [each.queue_id for each in memberships(scope) if each.user.row_id == live.row_id]
                needed = [after.held[queue_id] for queue_id in queues if queue_id in after.held]
                yield stays(live, [*bot_uses(live.row_id, known_usage(scope.live)), *needed])

    def diff(self, desired: BotUser | None, live: Live[BotUser] | None) -> Change | None:
        """The reason says whom the capacity must beat. Nothing desired: a bot is gone when it is disabled."""
        if desired is None:
            return taken_away(live, {"enabled": (True, False)}) if live and live.spec.enabled else None
        change = super().diff(desired, live)
        if change is None:
            return None
        told = any(each.field == "capacity" for each in change.fields)
        return replace(change, reason=desired.capacity_reason if told else "")

    def to_row(self, spec: BotUser, scope: Scope) -> dict[str, Any]:
        """A new bot user belongs to the root business unit."""
        root = scope.live.environment.root_business_unit
        return {**super().to_row(spec, scope), "businessunitid@odata.bind": f"/businessunits({root})"}

    def cells(self, spec: BotUser, fields: Iterable[str], *, new: bool = False) -> dict[str, Any]:
        """`enabled` is kept the other way round; a name replaces all the names that `fullname` is made of."""
        wanted = tuple(fields)
        values = super().cells(spec, (name for name in wanted if name != "enabled"), new=new)
        if "enabled" in wanted:
            values["isdisabled"] = not spec.enabled
        if "name" in wanted and not new:
            values |= {"firstname": None, "middlename": None}
        return values

    def create(self, change: Change, body: Mapping[str, Any], scope: Scope) -> Write:
        """In one write; where an environment refuses bot columns on create, in two, within the same change set."""
        short = super().create(change, body, scope)
        bare = {name: value for name, value in body.items() if name not in _BOT_COLUMNS}
        rest = {name: value for name, value in body.items() if name in _BOT_COLUMNS}
        first = replace(short, body=bare)
        return replace(short, instead=(first, replace(short, body=rest, condition={"If-Match": "*"})))

    def remove(self, change: Change, scope: Scope) -> Iterator[Write]:
        """Disable it, once no conversation is led to it any more."""
        needs, when = routes_of(change.row_id, scope), {"If-Match": change.etag or "*"}
        path = f"{self.entity_set}({change.row_id})"
        disabled, enabled = {"isdisabled": True}, {"isdisabled": False}
        yield Write(Stage.REMOVED, "PATCH", path, disabled, (change.id,), when, needs, before=enabled)

    def shown_new(self, desired: BotUser, name: str) -> Any:
        """A new user is enabled without being told: the column cannot be set on create."""
        return None if name == "enabled" else super().shown_new(desired, name)

    def doubts(self, change: Change, scope: Scope) -> Iterator[Note]:
        """A full name that is not the one asked for, though the row holds ours."""
        desired = change.desired
        live = scope.live.find(self.kind, desired.identity) if desired else None
        wrote_name = any(each.field == "name" for each in change.fields)
        if wrote_name and desired and live and live.spec.name != desired.name:
            yield Note("error", desired.id, adoption.kept_name(live.spec.name, desired.name), desired.source)


def bot_queries(applications: Iterable[str], bots: Iterable[str], label: str = "bot users") -> Iterator[Query]:
    """Users by application id or bot id, with their roles. Naming `deletedstate` makes soft-deleted rows show."""
    terms = [f"applicationid eq {each}" for each in applications]
    for each in bots:  # text that people paste: some with braces
        terms += [f"msdyn_botapplicationid eq {quoted(form)}" for form in (each, f"{{{each}}}")]
    yield from (_bots(either, label) for either in alternatives(terms))


def _bots(either: str, label: str) -> Query:
    expand = "systemuserroles_association($select=roleid,name,_businessunitid_value)"
    where = f"({either}) and (deletedstate eq 0 or deletedstate eq 1)"
    return Query(label, "systemusers", SELECT, where, (expand,))


def _idle(desired: BotUser, live: Live[BotUser] | None) -> Iterator[Note]:
    if live and not live.spec.enabled:
        message = f"the user ({live.row_id}) is disabled and gets no conversations; enable it"
        yield Note("warning", desired.id, message, desired.source)
