"""From options and environment variables to a Health Bot: which one, its signing secret, the emulated one if asked.

The secret signs whatever the bot's authors may do, so a token goes to Microsoft's hosts and to this machine only,
unless the environment (never the playbook) names another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from d365setup import __version__
from d365setup.cli.environment import Surroundings, Waits, open_emulator
from d365setup.cli.options import (
    Given,
    ca_bundle,
    emulator_data,
    gathered,
    healthbot_resource,
    max_wait,
    state_dir,
)
from d365setup.cli.output import Output
from d365setup.cli.signin import AUTHORITY, CA_BUNDLE, TENANT, TOKEN, Call, chosen
from d365setup.dataverse.auth import Directory, Secret, TokenSource
from d365setup.dataverse.sessions import existing_bundle
from d365setup.dataverse.waiting import Policy
from d365setup.errors import Refused, UsageError
from d365setup.healthbot.arm import ORIGINS, PUBLIC, ResourceManager, checked_origin, checked_resource
from d365setup.healthbot.management import SECRET, Management
from d365setup.healthbot.portal import EXAMPLE, MICROSOFTS, Portal
from d365setup.healthbot.web import Manners
from d365setup.playbook import Playbook

if TYPE_CHECKING:
    from d365setup.emulator import Emulator

RESOURCE = "D365_HEALTHBOT_RESOURCE_ID"
PORTAL = "D365_HEALTHBOT_PORTAL"
HOST = "D365_HEALTHBOT_HOST"
ARM = "D365_ARM_URL"
NO_SECRET = (
    f"the Health Bot's signing secret is not known: set {SECRET} to its API_JWT_SECRET, or {RESOURCE} to read it from "
    "Azure with the sign-in of this call (docs/healthbot.md)"
)


@dataclass(frozen=True)
class Bot:
    """Which Health Bot a call is about, and how to get at it."""

    portal: str | None = None
    healthbot_resource: str | None = None
    emulator: bool = False
    emulator_data: Path | None = None
    state_dir: Path | None = None
    ca_bundle: Path | None = None
    max_wait: float = 300.0
    device_code: bool = False


with_bot = gathered(
    Bot,
    "bot",
    click.option("--portal", metavar="LINK", help=f"The bot's portal link, {EXAMPLE}. [env: {PORTAL}]"),
    healthbot_resource,
    click.option("--emulator", is_flag=True, help="Use the Health Bot of the built-in emulator."),
    emulator_data,
    state_dir,
    ca_bundle,
    max_wait,
    click.option(
        "--device-code", is_flag=True, help="Sign in to Azure as a person, with a code. [env: D365_DEVICE_CODE]"
    ),
)


@contextmanager
def bot_reached(bot: Bot, playbook: Playbook | None, output: Output, *, read_only: bool) -> Iterator[Management]:
    """The bot the call or its playbook names. Raises UsageError and Refused before anything is sent."""
    around = Surroundings.here()
    if bot.emulator:
        if bot.portal is not None:
            raise UsageError("--portal and --emulator exclude each other: the emulator has a bot of its own")
        emulator = open_emulator(bot.emulator_data or around.state_dir(bot.state_dir) / "emulator.db")
        try:
            with emulator.serve(), emulated(emulator, playbook, output, bot, read_only=read_only) as found:
                yield found
        finally:
            emulator.close()
        return
    portal = portal_of(bot.portal, playbook, around)
    with management(portal, secret_of(portal, bot, around), output, bot, around, read_only=read_only) as found:
        yield found


def emulated(emulator: Emulator, playbook: Playbook | None, output: Output, bot: Bot, *, read_only: bool) -> Management:
    """The emulated bot beside an emulator that is serving, under the tenant name the playbook has; made when new."""
    tenant = playbook.health_bot.tenant if playbook and playbook.health_bot else ""
    link = emulator.health_bot.portal(emulator.url, tenant)
    secret = Secret(emulator.health_bot.secret)
    return management(Portal.parse(link), secret, output, bot, Surroundings.here(), read_only=read_only)


def portal_of(given: str | None, playbook: Playbook | None, around: Surroundings) -> Portal:
    """The option, the variable or the playbook, in this order. Raises UsageError, and Refused for a strange host."""
    declared = playbook.health_bot.portal if playbook and playbook.health_bot else ""
    link = given if given is not None else around.variables.get(PORTAL, "").strip() or declared
    if not link:
        raise UsageError(
            f"say which Health Bot: --portal {EXAMPLE}, {PORTAL}, or `health_bot: {{portal: …}}` in a playbook"
        )
    portal = Portal.parse(link)
    is_named = portal.host == around.variables.get(HOST, "").strip().lower()
    if not (portal.is_microsofts or portal.is_here or is_named):
        raise Refused(
            f"{portal.host} is none of Microsoft's hosts ({MICROSOFTS}), and nothing was sent: a token there would "
            f"open the bot to whoever runs it; if that is right, set {HOST}={portal.host} in the environment"
        )
    return portal


def has_secret(bot: Bot, around: Surroundings) -> bool:
    """Whether there is a way to the signing secret: nothing is sent to find out."""
    return bool(around.variables.get(SECRET, "").strip() or bot.healthbot_resource or _resource(around))


def secret_of(portal: Portal, bot: Bot, around: Surroundings) -> Secret:
    """The signing secret, given or read from Azure. Raises UsageError where no way to it is open."""
    given = around.variables.get(SECRET, "").strip()
    if given and bot.healthbot_resource is None:
        return Secret(given)
    where = bot.healthbot_resource or _resource(around)
    if not where:
        empty = f"{SECRET} is set, but empty; " if SECRET in around.variables else ""
        raise UsageError(f"{empty}{NO_SECRET}")
    resource = checked_resource(where)
    origin = checked_origin(around.variables.get(ARM, "").strip() or PUBLIC)
    manager = ResourceManager(_azure_tokens(origin, bot, around), _manners(bot, around), origin)
    try:
        return manager.secret(portal, resource)
    finally:
        manager.close()


def management(
    portal: Portal, secret: Secret, output: Output, bot: Bot, around: Surroundings, *, read_only: bool
) -> Management:
    """A client for the bot; what it waits for is told through the output."""
    return Management(portal, secret, _manners(bot, around, output, read_only=read_only))


def only_example(given: Given, playbook: Path | None) -> None:
    """Raises UsageError for --var where there is no playbook to have variables."""
    if playbook is None and given.var:
        raise UsageError("--var goes with a playbook")


def _resource(around: Surroundings) -> str:
    return around.variables.get(RESOURCE, "").strip()


def _manners(bot: Bot, around: Surroundings, output: Output | None = None, *, read_only: bool = True) -> Manners:
    told = Waits(output).told if output else None
    bundle = _bundle(bot, around)
    try:
        existing_bundle(bundle)
    except ValueError as error:
        raise UsageError(str(error)) from None
    policy = Policy(max_wait=bot.max_wait, on_wait=told)
    return Manners(policy, f"d365setup/{__version__}", bundle, read_only=read_only)


def _bundle(bot: Bot, around: Surroundings) -> Path | None:
    named = around.variables.get(CA_BUNDLE, "").strip()
    return bot.ca_bundle or (Path(named) if named else None)


def _azure_tokens(origin: str, bot: Bot, around: Surroundings) -> TokenSource:
    """The sign-in of this call, for Azure Resource Manager: a token for Dataverse does not count there."""
    variables = {name: value for name, value in around.variables.items() if name != TOKEN}
    bundle = _bundle(bot, around)
    call = Call(variables, origin, bundle, bot.device_code)
    if not call.first(*TENANT):
        variables |= _tenant(call, around.variables.get("D365_URL", "").strip())
    if not call.first(*AUTHORITY) and origin in ORIGINS:
        variables.setdefault(AUTHORITY[0], ORIGINS[origin])
    call = Call(variables, origin, bundle, bot.device_code)
    try:
        source = chosen(call).source
    except UsageError as error:
        if TOKEN not in around.variables:
            raise
        told = f"{TOKEN} is for Dataverse and cannot read the bot's secret from Azure; set {SECRET}, or {error}"
        raise UsageError(told) from None
    names_tenant = call.first(*TENANT) or urlsplit(call.first(*AUTHORITY)).path.strip("/")
    if hasattr(source, "directory") and not names_tenant:
        raise UsageError(f"to read the bot's secret from Azure, set {TENANT[0]} (or D365_URL, which tells the tenant)")
    return source


def _tenant(call: Call, url: str) -> dict[str, str]:
    """The environment's own tenant: a Health Bot must be in the same one to hand over. Managed identities need none."""
    if not url:
        return {}
    try:
        found = Directory(url, "", call.first(*AUTHORITY), ca_bundle=call.ca_bundle).authority()
    except ValueError as error:
        raise UsageError(f"D365_URL: {error}") from None
    return {TENANT[0]: found.tenant, AUTHORITY[0]: found.host}
