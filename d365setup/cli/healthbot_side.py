"""A Health Bot as the other side of plan, apply, verify, destroy and rollback; or why it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from d365setup.bringing import HealthBotSide
from d365setup.cli.beside import Found, Surrounding
from d365setup.cli.environment import Surroundings
from d365setup.cli.healthbot_reached import Bot, has_secret, management, portal_of, secret_of
from d365setup.dataverse.auth import Secret
from d365setup.errors import NotReachable
from d365setup.healthbot.portal import Portal
from d365setup.healthbot.side import portal_in, wanted
from d365setup.journal import Recording
from d365setup.model import NOWHERE, Note, ResourceId, Source
from d365setup.playbook import Playbook
from d365setup.playbook.document import HealthBot

CURE = (
    "set D365_HEALTHBOT_SECRET to the bot's API_JWT_SECRET, or D365_HEALTHBOT_RESOURCE_ID to have it read from Azure "
    "(docs/healthbot.md)"
)


@contextmanager
def wanted_side(playbook: Playbook, declared: HealthBot, around: Surrounding) -> Iterator[Found]:
    """The bot a playbook declares, with the scenarios it wants there."""
    specs, named = wanted(playbook), Portal.parse(declared.portal)
    reached = reached_bot(None, playbook, named, around)
    if reached is None:
        yield Found(remarks=(_left_out(named, around, "its scenarios are not looked at", declared.source),))
        return
    at, secret = reached
    link = named.link if around.emulator else at.link
    with management(
        at, secret, around.output, options_of(around), Surroundings.here(), read_only=around.read_only
    ) as bot:
        yield Found(HealthBotSide(link, bot, specs))


@contextmanager
def recorded_side(recording: Recording, around: Surrounding) -> Iterator[Found]:
    """The bot that a run went to: its journal says which."""
    link = next(portal_in(write.path) for sent in recording.elsewhere.sent for write in sent.writes)
    named = Portal.parse(link)
    reached = reached_bot(link, None, named, around)
    if reached is None:
        yield Found(remarks=(_left_out(named, around, "the scenarios that this run imported stay", NOWHERE),))
        return
    at, secret = reached
    with management(at, secret, around.output, options_of(around), Surroundings.here(), read_only=False) as bot:
        yield Found(HealthBotSide(link, bot))


def reached_bot(
    link: str | None, playbook: Playbook | None, named: Portal, around: Surrounding
) -> tuple[Portal, Secret] | None:
    """Where the bot answers, and its secret: the emulated one's beside an emulator; None where no secret is known."""
    if around.emulator is not None:
        bots = around.emulator.health_bot
        return Portal.parse(bots.portal(around.emulator.url, named.tenant)), Secret(bots.secret)
    here, bot = Surroundings.here(), options_of(around)
    if not has_secret(bot, here):
        return None
    portal = portal_of(link, playbook, here)
    return portal, secret_of(portal, bot, here)


def options_of(around: Surrounding) -> Bot:
    """The call's options, as those of a bot."""
    target = around.target
    return Bot(
        healthbot_resource=around.beside.healthbot_resource,
        ca_bundle=target.ca_bundle,
        max_wait=target.max_wait,
        device_code=target.device_code,
    )


def _left_out(portal: Portal, around: Surrounding, what: str, source: Source) -> Note:
    """Raises NotReachable where the call insists on the bot."""
    told = f"{what}, for its secret is not known: {CURE}"
    if around.beside.require_healthbot:
        raise NotReachable(f"the Health Bot {portal.link}: {told}; nothing was sent (--require-healthbot)")
    return Note("warning", ResourceId("health_bot", portal.tenant), told, source)
