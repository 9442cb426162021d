"""The two looks at an environment side by side: the contact center, and the lives that a plan will compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from d365setup.center import ContactCenter
from d365setup.kinds import users
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Queue
from d365setup.kinds.role_assignment import RoleAssignment
from d365setup.kinds.rule_sets import RouteRules, rules_of
from d365setup.kinds.workstream import Workstream
from d365setup.model import Live, LiveState


@dataclass(frozen=True)
class Seen:
    """What was read."""

    center: ContactCenter
    live: LiveState

    @cached_property
    def queues(self) -> Mapping[str, Live[Queue]]:
        """Queues by their row."""
        return {each.row_id.lower(): each for each in self.live.of(Queue)}

    @cached_property
    def bots(self) -> Mapping[str, Live[BotUser]]:
        """Bots by their row."""
        return {each.row_id.lower(): each for each in self.live.of(BotUser)}

    @cached_property
    def streams(self) -> Mapping[str, Live[Workstream]]:
        """Work streams by their row."""
        return {each.row_id.lower(): each for each in self.live.of(Workstream)}

    def variables(self, stream: str) -> Sequence[Live[ContextVariable]]:
        """The variables of a work stream, by name."""
        own = (each for each in self.live.of(ContextVariable) if each.spec.workstream == stream)
        return sorted(own, key=lambda each: (each.spec.name, each.row_id))

    def rules(self, stream: str) -> RouteRules:
        """The route-to-queue rules of a work stream, in their order."""
        return rules_of(self.live, stream)

    def roles(self, bot: Live[BotUser]) -> Sequence[str]:
        """The roles a bot holds directly, in the copy of its own business unit."""
        own = (each.spec for each in self.live.of(RoleAssignment) if each.spec.user_id == bot.row_id)
        return sorted({each.name for each in own})

    def members(self, queue_id: str) -> Sequence[users.User]:
        """Who is in a queue: bots first, then people by their address."""
        found = self._members.get(queue_id, {}).values()
        return sorted(found, key=lambda user: (not user.is_bot, user.email.casefold(), user.shown, user.row_id))

    @cached_property
    def _members(self) -> Mapping[str, Mapping[str, users.User]]:
        found: dict[str, dict[str, users.User]] = {}
        for each in self.live.known(users.Membership):
            found.setdefault(each.queue_id.lower(), {})[each.user.row_id] = each.user
        return found

    @cached_property
    def enabled_people(self) -> Mapping[str, frozenset[str]]:
        """The rows of the enabled people who have an address, by the address as the service compares it."""
        found: dict[str, set[str]] = {}
        known = (*self.live.known(users.User), *(each.user for each in self.live.known(users.Membership)))
        for user in known:
            if user.is_person and user.enabled:
                found.setdefault(address(user.email), set()).add(user.row_id)
        return {each: frozenset(rows) for each, rows in found.items()}


def address(email: str) -> str:
    """An address as the service compares it."""
    return email.strip().casefold()
