"""Users as facts: who is in a queue, whose address this is. People are read and linked, never written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from d365setup.model import LiveState, Row

COLUMNS = (
    "systemuserid",
    "fullname",
    "internalemailaddress",
    "isdisabled",
    "applicationid",
    "msdyn_botapplicationid",
    "msdyn_capacity",
)


@dataclass(frozen=True)
class User:
    """A row of systemusers, as far as routing cares. Units of capacity; an empty column counts as none."""

    row_id: str
    full_name: str
    email: str
    enabled: bool
    application_id: str
    bot_application_id: str
    capacity: int

    @property
    def is_bot(self) -> bool:
        """Omnichannel knows a bot by its filled bot application id (routing facts, section 0, fact 8)."""
        return bool(self.bot_application_id)

    @property
    def is_person(self) -> bool:
        """Neither a bot nor any other application."""
        return not self.is_bot and not self.application_id

    @property
    def shown(self) -> str:
        """How a message names this user."""
        return self.full_name or self.email or self.row_id


@dataclass(frozen=True)
class Membership:
    """A live link of a user to a queue, with the queue's name as it is there."""

    queue: str
    queue_id: str
    user: User


def user(row: Row) -> User:
    """The user a row describes."""
    return User(
        row["systemuserid"],
        row.get("fullname") or "",
        row.get("internalemailaddress") or "",
        not row.get("isdisabled"),
        (row.get("applicationid") or "").lower(),
        row.get("msdyn_botapplicationid") or "",
        row.get("msdyn_capacity") or 0,
    )


def by_email(live: LiveState, email: str) -> Iterator[User]:
    """Users with this address; the service ignores case and blanks at the end, and so do we."""
    wanted = email.strip().casefold()
    for each in live.known(User):
        if each.email.strip().casefold() == wanted:
            yield each


def members(live: LiveState, queue: str) -> Iterator[User]:
    """The live members of the queue that bears exactly this name."""
    for each in live.known(Membership):
        if each.queue == queue:
            yield each.user
