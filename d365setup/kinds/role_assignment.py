"""Role assignments: a security role given to a bot user directly, in the copy of the user's own business unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from d365setup.kinds.base import Kind, distinct, stays, taken_away
from d365setup.kinds.bot_user import BotUser, bot_queries
from d365setup.kinds.filters import named
from d365setup.kinds.leaving import afterwards, assignment, marked, routes_of
from d365setup.kinds.nearest import did_you_mean
from d365setup.model import (
    Action,
    Change,
    Desired,
    FieldChange,
    Live,
    Note,
    Place,
    Query,
    ResourceId,
    Rows,
    Source,
    Spec,
    Stage,
    Write,
    hidden,
    join_key,
)
from d365setup.scope import Scope


@dataclass(frozen=True, kw_only=True)
class RoleAssignment(Spec):
    """One role of one bot; ``name`` is the role's."""

    kind: ClassVar[str] = "role_assignment"
    place: ClassVar[Place] = Place("bot_users", derived=True)

    user: str
    application_id: str
    role_id: str = hidden("")
    user_id: str = hidden("")  # on a live link

    @property
    def key(self) -> str:
        """Bot and role."""
        return join_key(self.user, self.name)

    @property
    def identity(self) -> str:
        """The bot's application id and the role's name."""
        return join_key(self.application_id, self.name)

    @classmethod
    def derive(cls, outer: Spec, at: Callable[..., Source]) -> Iterator[RoleAssignment]:
        """One for each role a declared bot lists."""
        if isinstance(outer, BotUser) and not outer.existing:
            for index, role in enumerate(outer.roles):
                yield cls(
                    name=role,
                    user=outer.name,
                    application_id=outer.application_id,
                    source=at("roles", index),
                )


@dataclass(frozen=True)
class Role:
    """One copy of a security role: every business unit has its own row (web-api page, section 6.3)."""

    row_id: str
    name: str
    business_unit: str


class RoleAssignments(Kind[RoleAssignment]):
    """Links of the many-to-many relationship between users and roles."""

    kind = RoleAssignment.kind
    spec = RoleAssignment
    after = ("bot_user",)
    changes_users = True
    unmarked = "no journal kept here says that this playbook made the link"

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The roles in every unit's copy (`resolve` picks one); the user's present roles come with the bot users."""
        for where in named("name", (link.name for link in wanted.of(RoleAssignment))):
            yield Query("roles", "roles", ("roleid", "name", "_businessunitid_value"), where)

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The users who hold the roles, where they are not read back as bot users anyway."""
        read = {bot.application_id for bot in changed.of(BotUser)}
        holders = (link.application_id for link in changed.of(RoleAssignment) if link.application_id not in read)
        return bot_queries(holders, (), "role holders")

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Role copies as facts, and one live link for each role a bot user holds directly.

        A copy that belongs to another business unit than the user's does not count: Omnichannel would not see it.
        """
        for row in rows.get("roles", ()):
            yield Role(row["roleid"], row["name"], row["_businessunitid_value"] or "")
        for user in distinct((*rows.get("bot users", ()), *rows.get("role holders", ())), "systemuserid"):
            for row in user.get("systemuserroles_association") or ():
                if row.get("_businessunitid_value") != user.get("_businessunitid_value"):
                    continue
                spec = RoleAssignment(
                    name=row["name"],
                    user=user.get("fullname") or "",
                    application_id=(user.get("applicationid") or "").lower(),
                    role_id=row["roleid"],
                    user_id=user["systemuserid"],
                )
                yield Live(spec, row["roleid"])

    def resolve(self, desired: RoleAssignment, scope: Scope) -> Iterator[RoleAssignment | Note]:
        """The copy of the root business unit, where bot users live."""
        root = scope.live.environment.root_business_unit
        roles = [each for each in scope.live.known(Role) if each.name == desired.name and each.business_unit == root]
        if roles:
            yield replace(desired, role_id=roles[0].row_id)
            return
        message = f"there is no role {desired.name!r} in the root business unit{_hint(desired.name, scope)}"
        yield Note("error", desired.id, message, desired.source)

    def strays(self, scope: Scope) -> Iterator[Live[RoleAssignment] | Note]:
        """Roles a journal says we gave, where nobody declares them; a bot that must stay keeps its roles."""
        if scope.prune is None:
            return
        declared = {link.identity for link in scope.desired.of(RoleAssignment)}
        going = afterwards(scope).bots
        staying = {live.row_id for live in marked("bot_user", scope) if live.spec.enabled} - going
        for live in scope.live.of(RoleAssignment):
            link = live.spec
            if assignment(link.user_id, link.role_id) in scope.prune.links and link.identity not in declared:
                yield stays(live, ["its bot stays too, and needs it"]) if link.user_id in staying else live

    def diff(self, desired: RoleAssignment | None, live: Live[RoleAssignment] | None) -> Change | None:
        """A role is held directly or is not; roles nobody declared stay, unless they are pruned."""
        if desired is None:
            return taken_away(live, {"role": (live.spec.name, None)}) if live else None
        if live is not None:
            return None
        fields = (FieldChange("role", None, desired.name),)
        return Change(Action.CREATE, desired.id, desired, fields, row_id=desired.role_id)

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """Associate the role with the user."""
        for change in changes:
            link: Any = change.desired
            if change.action is Action.DELETE:
                yield _taking_away(change.id, link, scope)
                continue
            user = scope.ids.of("bot_user", link.application_id)
            bot = BotUser(name=link.user, application_id=link.application_id)
            yield Write(
                self.stage,
                "POST",
                f"systemusers({user})/systemuserroles_association/$ref",
                {"@odata.id": f"roles({link.role_id})"},
                (change.id,),
                needs=frozenset({bot.id}),
                group=str(bot.id),
            )


def _taking_away(change: ResourceId, link: RoleAssignment, scope: Scope) -> Write:
    """No role goes before those that replace it are given, nor while conversations still lead to the bot."""
    coming = (each.id for each in scope.resolved.of(RoleAssignment) if each.application_id == link.application_id)
    needs = routes_of(link.user_id, scope) | frozenset(coming)
    path, before = assignment(link.user_id, link.role_id), {"@odata.id": f"roles({link.role_id})"}
    return Write(Stage.UNLINKED, "DELETE", path, None, (change,), needs=needs, before=before)


def _hint(name: str, scope: Scope) -> str:
    copies = list(scope.live.known(Role))
    if any(each.name == name for each in copies):
        return ", only further down; make it in the root unit, where bot users live, or name another role"
    cure = "; check the spelling, and whether Omnichannel for Customer Service is installed"
    return did_you_mean(name, (each.name for each in copies)) or cure
