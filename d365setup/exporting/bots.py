"""Bots: declared in full where a plan would change nothing about them, else only referred to, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from d365setup.center import User
from d365setup.exporting.fitting import Unsayable, email_problem, guid_problem, name_problem
from d365setup.exporting.seen import Seen
from d365setup.exporting.tree import Entry, Items, Map, Reference, Remark, Value, flat
from d365setup.kinds.bot_user import BotUser
from d365setup.model import Live, ResourceId, fold, join_key

_AS_MADE = BotUser(name="", application_id="")  # what a playbook asks of every bot without a word
_ALWAYS = ("agent_type", "provider", "access_mode", "enabled")


@dataclass(frozen=True)
class Said:
    """A bot as the playbook names it; ``why`` says why it is only referred to. Its variables are named later."""

    row_id: str
    name: str
    application_id: str
    bot_id: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()
    capacity: int = 0
    why: str = ""
    variable: str = ""  # for the application id
    bot_variable: str = ""

    @property
    def values(self) -> Iterator[tuple[str, str]]:
        """Its variables with their values on this environment."""
        yield self.variable, self.application_id
        if self.bot_variable:
            yield self.bot_variable, self.bot_id


def said(
    bots: Iterable[User], seen: Seen, taken: frozenset[str] = frozenset()
) -> tuple[tuple[Said, ...], tuple[Remark, ...]]:
    """The bots that can be declared, and a remark for each that cannot; ``taken`` are names no variable may get."""
    found: list[Said] = []
    remarks: list[Remark] = []
    for each in bots:
        try:
            found.append(_said(each, seen, found))
        except Unsayable as reason:
            told = f"The bot {each.name or each.row_id} is left out: {reason}."
            remarks.append(Remark(told, _id(each.name or each.row_id), "left out"))
    return tuple(_with_variables(found, taken)), tuple(remarks)


def entry(bot: Said) -> Map:
    """The bot under ``bot_users``."""
    entries: list[Entry | Remark] = [Entry("name", bot.name), Entry("application_id", Reference(bot.variable))]
    if bot.why:
        told = Remark(f"Only referred to: {bot.why}.", _id(bot.name), "referred to")
        return Map((*entries, told, Entry("existing", value=True)))
    roles: tuple[Value, ...] = bot.roles
    rest: dict[str, Value] = {
        "bot_application_id": Reference(bot.bot_variable),
        "email": bot.email,
        "roles": Items(roles, flow=True),
        "capacity": bot.capacity,
    }
    return Map((*entries, *(Entry(key, value) for key, value in rest.items())))


def variables(bots: Sequence[Said]) -> Iterator[Entry]:
    """What differs from environment to environment: the two ids of each bot."""
    for bot in bots:
        what = {bot.variable: f"Application ID of the Entra app registration of {bot.name}."}
        if bot.bot_variable:
            what[bot.bot_variable] = f"The bot ID of {bot.name}, shown when its Omnichannel channel is enabled."
        for name, told in what.items():
            yield Entry(name, replace(flat(env=name.upper(), format="guid", description=told), flow=False))


def _id(name: str) -> ResourceId:
    return ResourceId(BotUser.kind, join_key(name))


def _said(bot: User, seen: Seen, others: Sequence[Said]) -> Said:
    live = _found(bot, seen)
    have = live.spec
    if problem := name_problem(have.name):
        raise Unsayable(f"its name {problem}")
    if "@" in have.name:
        raise Unsayable("its name holds '@', and a playbook would take it for an e-mail address")
    if fold(have.name) in {fold(each.name) for each in others}:
        raise Unsayable(
            f"another bot has this name too, or nearly; this one has the application id {bot.application_id}"
        )
    why = "; ".join(_differences(have, seen.roles(live)))
    if not why and have.bot_application_id in {each.bot_id for each in others}:
        why = "another bot has the same bot id"
    if why:
        return Said(live.row_id, have.name, have.application_id, why=why)
    return Said(
        live.row_id,
        have.name,
        have.application_id,
        have.bot_application_id or "",
        have.email or "",
        tuple(seen.roles(live)),
        have.capacity if isinstance(have.capacity, int) else 0,
    )


def _found(bot: User, seen: Seen) -> Live[BotUser]:
    """The bot as a plan sees it."""
    if guid_problem(bot.application_id):
        raise Unsayable("it has no Entra application id, by which a playbook finds a bot")
    live = seen.bots.get(bot.row_id)
    if live is None:
        raise Unsayable("it was not found a second time, or it is deleted")
    environment = seen.live.environment
    if live.row_id == environment.user_id:
        raise Unsayable("it is the application that d365setup signs in with")
    if live.spec.found and live.spec.found.business_unit != environment.root_business_unit:
        raise Unsayable("it is not in the root business unit, where a playbook has its bots")
    return live


def _differences(have: BotUser, roles: Sequence[str]) -> Iterator[str]:
    """Why declaring it in full would change it."""
    for name in _ALWAYS:
        is_now, is_made = getattr(have, name), getattr(_AS_MADE, name)
        if is_now != is_made:
            yield f"its {name.replace('_', ' ')} is {_shown(is_now)}, and a playbook would make it {_shown(is_made)}"
    if not isinstance(have.capacity, int):
        yield "it has no capacity"
    elif have.capacity < 0:
        yield f"its capacity is {have.capacity}"
    if guid_problem(have.bot_application_id or ""):
        yield f"its bot id is {have.bot_application_id!r}, which is no GUID"
    if problem := email_problem(have.email or ""):
        yield f"its address {problem}"
    if not roles:
        yield "it holds no role directly"
    yield from (f"the name of its role {each!r} {problem}" for each in roles if (problem := name_problem(each, 100)))


def _shown(value: Any) -> str:
    return "empty" if value is None else str(value).lower()


def _with_variables(bots: Sequence[Said], taken: frozenset[str]) -> Iterator[Said]:
    """One bot has the names of the shipped playbook; several have their own names in front."""
    used = set(taken)
    for bot in bots:
        names = next(each for each in _names(bot.name, alone=len(bots) == 1) if used.isdisjoint(each))
        used.update(names)
        yield replace(bot, variable=names[0], bot_variable="" if bot.why else names[1])


def _names(bot: str, *, alone: bool) -> Iterator[tuple[str, str]]:
    """Names for a bot's two variables, one pair after the other."""
    if alone:
        yield "bot_application_id", "health_bot_id"
    plain = re.sub(r"[^a-z0-9]+", "_", bot.casefold()).strip("_")[:60].strip("_") or "bot"
    plain = plain if plain[0].isalpha() else f"bot_{plain}"
    yield from ((f"{stem}_application_id", f"{stem}_bot_id") for stem in _numbered(plain))


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}_{number}"
        number += 1


def by_application(bots: Iterable[Said]) -> Mapping[str, str]:
    """Names by application id."""
    return {each.application_id: each.name for each in bots}
