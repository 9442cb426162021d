"""Bot users: the application user that stands for a bot in Omnichannel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from d365setup.kinds import capacity
from d365setup.kinds.base import Column, TableKind, quoted
from d365setup.kinds.fields import Email, Flag, Guid, Name100, Name200, Units
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
    Scope,
    Spec,
    Write,
    hidden,
)

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
    agent_type: str = hidden("bot application user", compare=True)
    provider: str = hidden("other", compare=True)
    access_mode: str = hidden("non-interactive", compare=True)
    enabled: bool = hidden(True, compare=True)  # noqa: FBT003
    capacity_reason: str = hidden("")
    found: Found | None = hidden(None)  # on a live row: what it says beside these fields

    @property
    def identity(self) -> str:
        """One row per Entra application and environment."""
        return self.application_id

    def check(self, desired: Desired) -> Iterator[Mistake]:
        """A bot to be made needs its bot id and an address; two bots cannot both be the highest of one queue."""
        if not self.existing:
            if self.bot_application_id is None:
                yield Mistake(
                    (), "bot_application_id is missing: the bot ID shown when the Omnichannel channel is enabled"
                )
            if self.email is None:
                yield Mistake((), "email is missing: the platform requires an address, a made-up one will do")
        yield from capacity.clashes(self, desired)


@dataclass(frozen=True)
class Found:
    """What a live bot row says beside the fields a playbook sets."""

    full_name: str
    first_name: str
    last_name: str
    business_unit: str
    soft_deleted: bool


@dataclass(frozen=True)
class BotRow:
    """A row that has to do with a declared bot, whichever id brought it up."""

    row_id: str
    application_id: str
    bot_application_id: str
    full_name: str
    soft_deleted: bool


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

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """Rows that carry one of the application ids or one of the bot ids, soft-deleted ones too."""
        bots = wanted.of(BotUser)
        if bots:
            yield bot_query(
                [bot.application_id for bot in bots],
                [bot.bot_application_id for bot in bots if bot.bot_application_id],
            )

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Lives of the rows with an application id, and every row as a fact: twins and leftovers must be seen."""
        for row in rows.get(self.label, ()):
            yield BotRow(
                row["systemuserid"],
                (row.get("applicationid") or "").lower(),
                (row.get("msdyn_botapplicationid") or "").lower(),
                row.get("fullname") or "",
                bool(row.get("deletedstate")),
            )
        yield from super().from_rows(rows)

    def from_row(self, row: Row) -> BotUser | None:
        """A row without application id is a person, a soft-deleted one is gone until it blocks."""
        if not row.get("applicationid") or row.get("deletedstate"):
            return None
        fields = {name: value for name, value in self.read(row).items() if value is not None}
        fields["application_id"] = row["applicationid"].lower()
        if fields.get("bot_application_id"):
            fields["bot_application_id"] = fields["bot_application_id"].strip("{}").lower()
        fields.setdefault("capacity", 0)
        fields.setdefault("agent_type", "")
        fields.setdefault("provider", "")
        fields["name"] = row.get("fullname") or ""
        found = Found(
            row.get("fullname") or "",
            row.get("firstname") or "",
            row.get("lastname") or "",
            row.get("_businessunitid_value") or "",
            bool(row.get("deletedstate")),
        )
        return BotUser(**fields, enabled=not row.get("isdisabled"), found=found)

    def resolve(self, desired: BotUser, scope: Scope) -> Iterator[BotUser | Note]:
        """`highest` becomes a number; a row that must not be adopted is told."""
        live = scope.live.find(self.kind, desired.identity)
        problems = list(self._obstacles(desired, live, scope))
        yield from (Note("error", desired.id, problem, desired.source) for problem in problems)
        if live and _overridden(desired, live.spec.found):
            yield Note("warning", desired.id, _kept_name(live.spec.name, desired.name), desired.source)
        if desired.existing:
            yield desired
            return
        outcome = capacity.settle(desired, live, scope)
        yield from outcome.notes
        yield replace(desired, capacity=outcome.units, capacity_reason=outcome.reason)

    def _obstacles(self, desired: BotUser, live: Live[BotUser] | None, scope: Scope) -> Iterator[str]:
        rows = scope.live.known(BotRow)
        for row in rows:
            if row.application_id == desired.application_id and row.soft_deleted and live is None:
                yield (
                    f"a soft-deleted user ({row.row_id}) still holds the application id {desired.application_id}; "
                    "delete it for good (delete it once more), or restore it, in the Power Platform admin centre"
                )
            if row.bot_application_id == desired.bot_application_id and row.application_id != desired.application_id:
                mine = live.row_id if live else "not made yet"
                yield (
                    f"the bot id {desired.bot_application_id} is already on another user, {row.full_name} "
                    f"({row.row_id}); this bot has {mine}. Omnichannel cannot tell two such users apart: clear "
                    "msdyn_botapplicationid on the other one, or use its application id in the playbook"
                )
        if live is None:
            if desired.existing:
                yield f"there is no user with the application id {desired.application_id}"
            return
        yield from self._unadoptable(desired, live, scope)

    def _unadoptable(self, desired: BotUser, live: Live[BotUser], scope: Scope) -> Iterator[str]:
        environment, have = scope.live.environment, live.spec
        if live.row_id == environment.user_id:
            yield (
                f"the application id {desired.application_id} is the one this tool signs in with ({live.row_id}); "
                "a bot needs an application of its own"
            )
        if have.found and have.found.business_unit != environment.root_business_unit:
            yield (
                f"the user {live.row_id} is in business unit {have.found.business_unit}, and a bot must be in the root "
                f"unit {environment.root_business_unit}; move the user there (its roles are lost and given anew)"
            )
        if desired.bot_application_id and have.bot_application_id not in (None, desired.bot_application_id):
            yield (
                f"the user {live.row_id} already stands for another bot ({have.bot_application_id}); "
                "use an application of its own for each bot, or clear msdyn_botapplicationid on that user"
            )

    def differences(self, desired: BotUser, live: Live[BotUser]) -> Iterator[FieldChange]:
        """As for any row, but the platform may keep the name it took from Entra."""
        for change in super().differences(desired, live):
            if change.field != "name" or not _overridden(desired, live.spec.found):
                yield change

    def diff(self, desired: BotUser | None, live: Live[BotUser] | None) -> Change | None:
        """The reason says whom the capacity must beat."""
        change = super().diff(desired, live)
        if change is None or desired is None:
            return change
        told = any(each.field == "capacity" for each in change.fields)
        return replace(change, reason=desired.capacity_reason if told else "")

    def to_row(self, spec: BotUser, scope: Scope) -> dict[str, Any]:
        """A new bot user belongs to the root business unit."""
        root = scope.live.environment.root_business_unit
        return {**super().to_row(spec, scope), "businessunitid@odata.bind": f"/businessunits({root})"}

    def cells(self, spec: BotUser, fields: Iterable[str], *, new: bool = False) -> dict[str, Any]:
        """`enabled` is kept the other way round; a name replaces the first name too, `fullname` is made of both."""
        wanted = tuple(fields)
        values = super().cells(spec, (name for name in wanted if name != "enabled"), new=new)
        if "enabled" in wanted:
            values["isdisabled"] = not spec.enabled
        if "name" in wanted and not new:
            values["firstname"] = None
        return values

    def create(self, change: Change, body: Mapping[str, Any], scope: Scope) -> Write:
        """In one write; where an environment refuses bot columns on create, in two, within the same change set."""
        short = super().create(change, body, scope)
        bare = {name: value for name, value in body.items() if name not in _BOT_COLUMNS}
        rest = {name: value for name, value in body.items() if name in _BOT_COLUMNS}
        first = replace(short, body=bare)
        return replace(short, instead=(first, replace(short, body=rest, condition={"If-Match": "*"})))

    def shown_new(self, desired: BotUser, name: str) -> Any:
        """A new user is enabled without being told: the column cannot be set on create."""
        return None if name == "enabled" else super().shown_new(desired, name)

    def doubts(self, change: Change, scope: Scope) -> Iterator[Note]:
        """A full name that is not the one asked for, though the row holds ours."""
        desired, found = change.desired, scope.live.find(self.kind, change.desired.identity if change.desired else "")
        wrote_name = any(each.field == "name" for each in change.fields)
        if wrote_name and isinstance(desired, BotUser) and found and found.spec.name != desired.name:
            yield Note("error", desired.id, _kept_name(found.spec.name, desired.name), desired.source)


def bot_query(applications: Sequence[str], bots: Sequence[str], label: str = "bot users") -> Query:
    """Users by application id or bot id, with their roles. Naming `deletedstate` makes soft-deleted rows show."""
    terms = [f"applicationid eq {each}" for each in dict.fromkeys(applications)]
    terms += [f"msdyn_botapplicationid eq {quoted(each)}" for each in dict.fromkeys(bots)]
    where = f"({' or '.join(terms)}) and (deletedstate eq 0 or deletedstate eq 1)"
    expand = "systemuserroles_association($select=roleid,name,_businessunitid_value)"
    return Query(label, "systemusers", SELECT, where, (expand,))


def _overridden(desired: BotUser, found: Found | None) -> bool:
    """True when the platform shows another full name although the row holds ours: trying again changes nothing."""
    if found is None or found.full_name == desired.name:
        return False
    return found.last_name == desired.name and not found.first_name


def _kept_name(shown: str, wanted: str) -> str:
    return (
        f"the platform shows the full name {shown!r}, taken from the Entra application, and not {wanted!r}; "
        f"rename the application in Entra, or say name: {shown!r} in the playbook"
    )
