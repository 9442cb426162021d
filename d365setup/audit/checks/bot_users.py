"""Bot users: what Omnichannel needs of them before it gives them a conversation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from d365setup.audit.checking import Result, Seen, about_user, check, finding
from d365setup.audit.findings import Unchecked
from d365setup.center import AGENT_ROLE, ContactCenter, HeldRole, User

BOT_APPLICATION_USER = 192350001  # msdyn_agentType (routing facts, 3.2)
API_ROLE = "Omnichannel API access"
_GUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")


def bots(center: ContactCenter) -> tuple[User, ...]:
    """Every bot, and every user that is meant to be one: by its type, without a bot id."""
    marked = (each for each in center.users if each.agent_type == BOT_APPLICATION_USER)
    return tuple({each.row_id: each for each in (*center.bots, *marked)}.values())


@check("R18")
def bots_can_work(seen: Seen) -> Iterator[Result]:
    """A bot is enabled, sits in the root business unit and holds the agent role there, directly."""
    for bot in bots(seen.center):
        subject = about_user(bot)
        root = seen.center.root_business_unit
        if not bot.enabled:
            yield finding("R18", subject, "the bot's user is disabled: it gets no conversation", enabled="no")
        if root and bot.business_unit and bot.business_unit != root:
            told = "the bot's user is not in the root business unit"
            yield finding("R18", subject, told, business_unit=bot.business_unit, root=root)
        if bot.roles is None:
            yield Unchecked("R18", "the bot's roles could not be read", subject)
        else:
            for told in _role_problems(bot, bot.roles):
                held = ", ".join(role.name for role in bot.roles) or "none"
                yield finding("R18", subject, told, roles=held)


def _role_problems(bot: User, roles: tuple[HeldRole, ...]) -> Iterator[str]:
    agent = [role for role in roles if role.name == AGENT_ROLE]
    by_team = AGENT_ROLE in (bot.team_roles or ())
    if not agent and by_team:
        yield f"it holds {AGENT_ROLE} through a team only: routing looks at roles given to the user itself"
    elif not agent:
        yield f"it does not hold the role {AGENT_ROLE}"
    elif _elsewhere(bot, agent):
        yield f"its role {AGENT_ROLE} is the copy of another business unit than its own"
    if any(role.name == API_ROLE for role in roles):
        yield f"it holds {API_ROLE}, which must not be combined with {AGENT_ROLE}"


def _elsewhere(bot: User, agent: list[HeldRole]) -> bool:
    units = {role.business_unit for role in agent if role.business_unit}
    return bool(units and bot.business_unit and bot.business_unit not in units)


@check("R19")
def bots_are_bots(seen: Seen) -> Iterator[Result]:
    """A bot is known by its type and its bot id."""
    twins = _shared(bots(seen.center), lambda bot: bot.bot_id.strip("{}"))
    for bot in bots(seen.center):
        subject = about_user(bot)
        if not bot.bot_id:
            yield finding("R19", subject, "it is marked as a bot and has no bot application ID", bot_id="empty")
        elif not _GUID.fullmatch(bot.bot_id):
            told = "its bot application ID is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
            yield finding("R19", subject, told, bot_id=bot.bot_id)
        elif bot.row_id in twins:
            told = f"{_names(twins[bot.row_id], bot)} has the same bot application ID"
            yield finding("R19", subject, told, bot_id=bot.bot_id)
        if bot.agent_type is not None and bot.agent_type != BOT_APPLICATION_USER:
            told = f"its user type is {bot.agent_type}, and a bot's is {BOT_APPLICATION_USER} (Bot application user)"
            yield finding("R19", subject, told, user_type=bot.agent_type)


@check("R20")
def applications_of_bots(seen: Seen) -> Iterator[Result]:
    """Dataverse shows an application id that two users share, and nothing of the registration behind it."""
    twins = _shared(bots(seen.center), lambda bot: bot.application_id)
    for bot in bots(seen.center):
        subject = about_user(bot)
        if bot.row_id in twins:
            told = f"{_names(twins[bot.row_id], bot)} has the same application ID"
            yield finding("R20", subject, told, application_id=bot.application_id)
        else:
            told = "whether its app registration still exists and has not expired is known to Microsoft Entra ID only"
            yield Unchecked("R20", told, subject)


@check("R21")
def queues_of_bots(seen: Seen) -> Iterator[Result]:
    """A bot belongs into messaging queues made for it."""
    for bot in bots(seen.center):
        queues = tuple(seen.center.memberships(bot.row_id))
        for queue in (each for each in queues if each.type == "record"):
            told = f"it is in {queue.name}, a queue for records, which no bot can answer"
            yield finding("R21", about_user(bot), told, queue=queue.name, queue_type=queue.type)
        if queues and all(queue.is_default for queue in queues):
            names = ", ".join(queue.name for queue in queues)
            told = f"it is in default queues only ({names}), which routing falls back to when nothing else fits"
            yield finding("R21", about_user(bot), told, queues=names)


def _shared(users: tuple[User, ...], of: Callable[[User], str]) -> Mapping[str, tuple[User, ...]]:
    """Users that share a value, by row id."""
    groups: dict[str, list[User]] = defaultdict(list)
    for user in users:
        groups[of(user).lower()].append(user)
    return {each.row_id: tuple(group) for value, group in groups.items() if value and len(group) > 1 for each in group}


def _names(group: tuple[User, ...], bot: User) -> str:
    return ", ".join(each.name for each in group if each.row_id != bot.row_id)
