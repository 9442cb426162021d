"""Queue members: who gets a queue's conversations. A bot by its name, a person by the e-mail address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from d365setup.kinds import users
from d365setup.kinds.base import Kind, distinct, stays
from d365setup.kinds.filters import named
from d365setup.kinds.leaving import afterwards, membership, routes_to
from d365setup.kinds.queue import Queue, queue_query
from d365setup.model import (
    Action,
    Change,
    Desired,
    FieldChange,
    Live,
    Note,
    Place,
    Query,
    Reference,
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
class QueueMember(Spec):
    """One member of one queue; ``name`` is as the playbook writes it."""

    kind: ClassVar[str] = "queue_member"
    place: ClassVar[Place] = Place("queues", derived=True)

    queue: str
    user_id: str = hidden("")
    queue_id: str = hidden("")  # on a live link

    @property
    def key(self) -> str:
        """Queue and member."""
        return join_key(self.queue, self.name)

    @property
    def identity(self) -> str:
        """The queue's name and the user's row, once it is known."""
        return join_key(self.queue, self.user_id or self.name)

    @property
    def is_person(self) -> bool:
        """People are written as e-mail addresses, bots by name."""
        return "@" in self.name

    @classmethod
    def derive(cls, outer: Spec, at: Callable[..., Source]) -> Iterator[QueueMember]:
        """One for each member a queue lists."""
        if isinstance(outer, Queue) and outer.members:
            for index, member in enumerate(outer.members.users):
                yield cls(name=member, queue=outer.name, source=at("members", "users", index))

    def references(self) -> Iterator[Reference]:
        """A member that is no e-mail address must be a declared bot."""
        if not self.is_person:
            yield Reference("bot_user", join_key(self.name), (), "bot user", self.name)


class QueueMembers(Kind[QueueMember]):
    """Links of the many-to-many relationship between queues and users."""

    kind = QueueMember.kind
    spec = QueueMember
    after = ("bot_user", "queue")
    stage = Stage.LINKS
    changes_users = True
    unmarked = "no journal kept here says that this playbook made the link"

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The people named as members; the queues' own members come with the queues."""
        people = (link.name for link in wanted.of(QueueMember) if link.is_person)
        for where in named("internalemailaddress", people):
            yield Query("people", "systemusers", users.COLUMNS, where)

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The queues with their members, where they are not read back as queues anyway."""
        read = {queue.name for queue in changed.of(Queue)}
        queues = (link.queue for link in changed.of(QueueMember) if link.queue not in read)
        for where in named("name", queues):
            yield queue_query(where, "member queues")

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """One live link for each member of each queue read, and the people found by address."""
        for row in rows.get("people", ()):
            yield users.user(row)
        for queue in distinct((*rows.get("queues", ()), *rows.get("member queues", ())), "queueid"):
            found = [users.user(row) for row in queue.get("queuemembership_association") or ()]
            for user, name in zip(found, _names(found), strict=True):
                link = QueueMember(name=name, queue=queue["name"] or "", user_id=user.row_id, queue_id=queue["queueid"])
                yield Live(link, user.row_id)

    def resolve(self, desired: QueueMember, scope: Scope) -> Iterator[QueueMember | Note]:
        """An address becomes the one enabled person who has it; a bot's name becomes the bot's row."""
        bot = scope.desired.find("bot_user", join_key(desired.name))
        if bot is None:
            yield from self._person(desired, scope)
        else:
            yield replace(desired, user_id=scope.ids.of("bot_user", bot.identity))

    def _person(self, desired: QueueMember, scope: Scope) -> Iterator[QueueMember | Note]:
        found = list({each.row_id: each for each in users.by_email(scope.live, desired.name)}.values())
        able = [each for each in found if each.enabled and each.is_person]
        if len(able) == 1:
            yield replace(desired, user_id=able[0].row_id)
            return
        yield Note("error", desired.id, _no_person(desired.name, found, able), desired.source)

    def removals(self, scope: Scope) -> Iterator[Live[QueueMember]]:
        """Members nobody declared, of queues whose members are ``exact``."""
        declared = {link.identity: link.key for link in scope.resolved.of(QueueMember)}
        exact = _exact(scope)
        for live in scope.live.of(QueueMember):
            link = live.spec
            if link.queue in exact and link.identity not in declared:
                told_apart = f"{link.name} ({link.user_id})" if link.key in declared.values() else link.name
                yield replace(live, spec=replace(link, name=told_apart, source=exact[link.queue].source))

    def strays(self, scope: Scope) -> Iterator[Live[QueueMember] | Note]:
        """Links a journal says we made, where nobody declares them; `removals` has those of ``exact`` queues."""
        if scope.prune is None:
            return
        declared = {link.identity for link in scope.resolved.of(QueueMember)}
        after, exact = afterwards(scope), _exact(scope)
        for live in scope.live.of(QueueMember):
            link = live.spec
            address = membership(link.queue_id, link.user_id)
            if address not in scope.prune.links or link.identity in declared or link.queue in exact:
                continue
            held = after.held.get(link.queue_id)
            yield stays(live, [held]) if held else live

    def diff(self, desired: QueueMember | None, live: Live[QueueMember] | None) -> Change | None:
        """A link is there or is not."""
        if desired is None and live is not None:
            fields = (FieldChange("member", live.spec.name, None),)
            reason = f"{live.spec.queue} lists its members exactly, and this one is not among them"
            return Change(Action.DELETE, live.spec.id, live.spec, fields, reason, live.row_id)
        if desired is None or live is not None:
            return None
        fields = (FieldChange("member", None, desired.name),)
        return Change(Action.CREATE, desired.id, desired, fields, row_id=desired.user_id)

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """Associate, or take the association away; where somebody leaves, all of that queue's in one change set.

        Otherwise the old members could go and the new ones fail: nobody would be left.
        """
        exact = _exact(scope)
        links: list[Any] = [change.desired for change in changes if change.action is Action.DELETE]
        left = {link.queue for link in links if link.queue in exact}
        for change in changes:
            link: Any = change.desired
            queue = Queue(name=link.queue)
            path = f"queues({scope.ids.of('queue', queue.identity)})/queuemembership_association"
            group = f"members:{link.queue}" if link.queue in left else ""
            if change.action is Action.DELETE:
                gone = membership(link.queue_id or scope.ids.of("queue", queue.identity), link.user_id)
                before = {"@odata.id": f"systemusers({link.user_id})"}
                stage = self.stage if group else Stage.UNLINKED
                needs = frozenset() if group else _before(link, scope)
                yield Write(stage, "DELETE", gone, None, (change.id,), needs=needs, group=group, before=before)
            else:
                body = {"@odata.id": f"systemusers({link.user_id})"}
                needs = frozenset({queue.id, ResourceId("bot_user", join_key(link.name))})
                yield Write(self.stage, "POST", f"{path}/$ref", body, (change.id,), needs=needs, group=group)


def _exact(scope: Scope) -> dict[str, Queue]:
    """Queues whose members are all declared; none where nothing counts as declared."""
    if scope.prune is not None and scope.prune.everything:
        return {}
    return {queue.name: queue for queue in scope.desired.of(Queue) if queue.members and queue.members.mode == "exact"}


def _before(link: QueueMember, scope: Scope) -> frozenset[ResourceId]:
    """Nobody leaves a queue before nothing leads there any more, nor before those who are to come are in."""
    coming = (each.id for each in scope.resolved.of(QueueMember) if each.queue == link.queue)
    return routes_to(link.queue_id, scope) | frozenset(coming)


def _names(members: Sequence[users.User]) -> list[str]:
    """How the members of one queue are called: people by address, and where two share a name, by their ids too."""
    names = [user.email if user.is_person and user.email else user.shown for user in members]
    return [
        f"{name} ({user.row_id})" if names.count(name) > 1 else name for name, user in zip(names, members, strict=True)
    ]


def _no_person(email: str, found: Sequence[users.User], able: Sequence[users.User]) -> str:
    if len(able) > 1:
        ids = " and ".join(each.row_id for each in able)
        return f"{len(able)} enabled users have the address {email} ({ids}); give one of them another address"
    if any(each.is_person for each in found):
        return f"the user with the address {email} is disabled; enable the user, or name somebody else"
    if found:
        return f"the user with the address {email} is an application; name a bot by its name, a person by the address"
    return f"no user has the address {email}; check the spelling, and whether the user was added to this environment"
