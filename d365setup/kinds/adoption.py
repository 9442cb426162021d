"""Which live rows stand in the way of a bot user, and what the platform makes of its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from d365setup.model import Environment, Live, LiveState, Row

if TYPE_CHECKING:
    from d365setup.kinds.bot_user import BotUser


@dataclass(frozen=True)
class Found:
    """What a live bot row says beside the fields a playbook sets."""

    full_name: str
    last_name: str
    other_names: tuple[str, ...]
    business_unit: str


@dataclass(frozen=True)
class BotRow:
    """A row that has to do with a declared bot, whichever id brought it up."""

    row_id: str
    application_id: str
    bot_application_id: str
    full_name: str
    soft_deleted: bool


def found(row: Row) -> Found:
    """What this row says beside the fields."""
    others = (row.get(name) or "" for name in ("firstname", "middlename"))
    return Found(
        row.get("fullname") or "",
        row.get("lastname") or "",
        tuple(name for name in others if name),
        row.get("_businessunitid_value") or "",
    )


def bot_row(row: Row) -> BotRow:
    """The row by its ids."""
    return BotRow(
        row["systemuserid"],
        (row.get("applicationid") or "").lower(),
        bare_guid(row.get("msdyn_botapplicationid")),
        row.get("fullname") or "",
        bool(row.get("deletedstate")),
    )


def bare_guid(text: str | None) -> str:
    """A GUID kept as text, to be compared: without regard to case, braces and blanks around it."""
    return (text or "").strip().strip("{}").lower()


def obstacles(desired: BotUser, live: Live[BotUser] | None, state: LiveState) -> Iterator[str]:
    """Why this bot cannot be made or taken over, each with the ids and the cure."""
    rows = {row.row_id: row for row in state.known(BotRow)}.values()
    for row in rows:
        if row.application_id == desired.application_id and row.soft_deleted:
            yield (
                f"a soft-deleted user ({row.row_id}) still holds the application id {desired.application_id}, and the "
                "platform allows no second one; in the Power Platform admin centre restore it, or delete it once more, "
                "which removes it for good"
            )
        elif _is_twin(row, desired) and not row.soft_deleted:
            yield _twin(row, desired, live)
    if live is not None:
        yield from _unadoptable(desired, live, state.environment)
    elif desired.existing:
        yield (
            f"there is no user with the application id {desired.application_id}; check the id, or leave out "
            "existing: true so that the user is made"
        )


def _is_twin(row: BotRow, desired: BotUser) -> bool:
    return row.bot_application_id == desired.bot_application_id and row.application_id != desired.application_id


def _twin(row: BotRow, desired: BotUser, live: Live[BotUser] | None) -> str:
    this = f"the user of this bot is {live.row_id}" if live else "the user of this bot is yet to be made"
    return (
        f"the bot id {desired.bot_application_id} is already on another user, {row.full_name} ({row.row_id}); {this}. "
        "Omnichannel cannot tell two such users apart: clear the bot application id of the other one, or write its "
        f"application id ({row.application_id or 'it has none'}) in the playbook"
    )


def _unadoptable(desired: BotUser, live: Live[BotUser], environment: Environment) -> Iterator[str]:
    have = live.spec
    if live.row_id == environment.user_id:
        yield (
            f"the application id {desired.application_id} is the one this tool signs in with ({live.row_id}); "
            "register an application of its own for the bot"
        )
    if have.found and have.found.business_unit != environment.root_business_unit:
        yield (
            f"the user {live.row_id} is in business unit {have.found.business_unit}, and a bot must be in the root "
            f"unit {environment.root_business_unit}; move the user there (its roles are lost and given anew)"
        )
    if desired.bot_application_id and have.bot_application_id not in (None, desired.bot_application_id):
        yield (
            f"the user {live.row_id} already stands for another bot ({have.bot_application_id}), not for "
            f"{desired.bot_application_id}; use an application of its own for each bot, or clear the bot application "
            "id of that user"
        )


def is_overridden(desired: BotUser, found: Found | None) -> bool:
    """True when the platform shows another full name although the row holds ours: trying again changes nothing."""
    if found is None or found.full_name == desired.name:
        return False
    return found.last_name == desired.name and not found.other_names


def kept_name(shown: str, wanted: str) -> str:
    """What to do about a full name that the platform does not give up."""
    return (
        f"the platform shows the full name {shown!r}, taken from the Entra application, and not {wanted!r}; "
        f"rename the application in Entra, or say name: {shown!r} in the playbook"
    )
