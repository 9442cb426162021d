"""Queue members: who gets a queue's conversations. A bot by its name, a person by the e-mail address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from d365setup.kinds import users
from d365setup.kinds.base import Kind, any_name
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
    Scope,
    Source,
    Spec,
    Stage,
    Write,
    hidden,
    join_key,
)


@dataclass(frozen=True, kw_only=True)
class QueueMember(Spec):
    """One member of one queue; ``name`` is as the playbook writes it."""

    kind: ClassVar[str] = "queue_member"
    place: ClassVar[Place] = Place("queues", derived=True)

    queue: str
    user_id: str = hidden("")

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

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The people named as members; the queues' own members come with the queues."""
        links = wanted.of(QueueMember)
        people = [link.name for link in links if link.is_person]
        if people:
            where = any_name("internalemailaddress", people)
            yield Query("people", "systemusers", users.COLUMNS, where)

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The queues with their members."""
        queues = [link.queue for link in changed.of(QueueMember)]
        if set(queues) - {queue.name for queue in changed.of(Queue)}:
            yield queue_query(any_name("name", queues), "member queues")

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """One live link for each member of each queue read, and the people found by address."""
        for row in rows.get("people", ()):
            yield users.user(row)
        for queue in (*rows.get("queues", ()), *rows.get("member queues", ())):
            for row in queue.get("queuemembership_association") or ():
                user = users.user(row)
                name = user.email if user.is_person and user.email else user.shown
                yield Live(QueueMember(name=name, queue=queue["name"] or "", user_id=user.row_id), user.row_id)

    def resolve(self, desired: QueueMember, scope: Scope) -> Iterator[QueueMember | Note]:
        """An address becomes the one enabled person who has it; a bot's name becomes the bot's row."""
        if desired.is_person:
            yield from self._person(desired, scope)
            return
        bot = scope.desired.find("bot_user", join_key(desired.name))
        if bot is not None:
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
        declared = {link.identity for link in scope.resolved.of(QueueMember)}
        exact = {q.name: q for q in scope.desired.of(Queue) if q.members and q.members.mode == "exact"}
        for live in scope.live.of(QueueMember):
            if live.spec.queue in exact and live.spec.identity not in declared:
                yield replace(live, spec=replace(live.spec, source=exact[live.spec.queue].source))

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
        """Associate, or take the association away."""
        for change in changes:
            link = change.desired
            if isinstance(link, QueueMember):
                queue = scope.ids.of("queue", Queue(name=link.queue).identity)
                path = f"queues({queue})/queuemembership_association"
                needs = frozenset({Queue(name=link.queue).id, ResourceId("bot_user", join_key(link.name))})
                if change.action is Action.DELETE:
                    yield Write(
                        self.stage, "DELETE", f"{path}({link.user_id})/$ref", None, (change.id,), group=link.queue
                    )
                else:
                    body = {"@odata.id": f"systemusers({link.user_id})"}
                    yield Write(self.stage, "POST", f"{path}/$ref", body, (change.id,), needs=needs, group=link.queue)


def _no_person(email: str, found: Sequence[users.User], able: Sequence[users.User]) -> str:
    if len(able) > 1:
        ids = " and ".join(each.row_id for each in able)
        return f"{len(able)} enabled users have the address {email} ({ids}); give one of them another address"
    if any(each.is_person for each in found):
        return f"the user with the address {email} is disabled; enable the user, or name somebody else"
    if found:
        return f"the user with the address {email} is an application; name a bot by its name, a person by the address"
    return f"no user has the address {email}; check the spelling, and whether the user was added to this environment"
