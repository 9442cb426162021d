"""`d365setup doctor`: is everything there that the other commands need?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import click

from d365setup.cli.beside import Beside, Surrounding
from d365setup.cli.environment import Surroundings, loaded, reached_place
from d365setup.cli.options import (
    Given,
    Target,
    healthbot_resource,
    taught,
    with_plain_output,
    with_target,
    with_variables,
)
from d365setup.cli.output import Output
from d365setup.cli.signin import Choice
from d365setup.dataverse.auth.secret import StaticToken
from d365setup.dataverse.client import Client, Reply, Request
from d365setup.dataverse.errors import AuthError, DataverseError
from d365setup.dataverse.odata import query
from d365setup.doctor import Bot, Caller, Facts, SignIn, Solution, Trouble, examined
from d365setup.errors import D365SetupError, Refused
from d365setup.kinds import discover
from d365setup.live import wanted
from d365setup.model import Environment
from d365setup.needs import of
from d365setup.playbook import Playbook
from d365setup.session import Session, check_expected

_HELP = taught(
    "Look whether the environment can be reached, who signs in and how, what is installed, and (with a playbook) which "
    "privileges the caller lacks for it; where a Health Bot is named, whether it answers and takes its secret. Sends "
    "nothing but reads.",
    "d365setup doctor --url https://contoso.crm.dynamics.com",
    "d365setup doctor playbooks/health-bot.yaml --emulator",
    "d365setup doctor contoso.yaml --format json --report doctor.txt",
    exits="0 nothing stands in the way, 6 something does.",
)
_SIGN_IN = "check the way to sign in; docs/sign-in.md tells them all"


@click.command("doctor", help=_HELP)
@click.argument("playbook", required=False, type=click.Path(path_type=Path))
@with_variables
@with_target
@healthbot_resource
@with_plain_output
def command(
    playbook: Path | None, *, given: Given, target: Target, healthbot_resource: str | None, output: Output
) -> int:
    """Ask for everything, then judge it."""
    around = Surroundings.here()
    wished = loaded(playbook, given, around, examples=target.emulator) if playbook else None
    with reached_place(target, output, read_only=True) as place:
        client = place.client
        facts = _signed_in(client, place.choice)
        if not facts.failure:
            facts = _asked(client, facts, output)
            _check_expected(facts, target.expect_organization or "")
            if wished:
                facts = _for_playbook(Session(client, discover(), wished), facts)
        beside = Beside(healthbot_resource)
        facts = replace(facts, bot=_bot(wished, Surrounding(beside, target, output, place.emulator, read_only=True)))
        return output.emit(examined(facts))


def _bot(playbook: Playbook | None, around: Surrounding) -> Bot | None:
    from d365setup.cli.doctor_bot import looked_at  # noqa: PLC0415  # only who has a bot needs to load it

    return looked_at(playbook, around)


def _signed_in(client: Client, choice: Choice) -> Facts:
    """Get a token and show it: whom does the environment take us for?"""
    sign_in = SignIn(choice.title, choice.because, _where(choice), choice.others)
    facts = replace(_ending(choice), url=client.url, sign_in=sign_in)
    try:
        choice.source.token()
    except AuthError as error:
        return replace(facts, failure=_trouble(error), signed_in=False)
    sign_in = replace(sign_in, where=_where(choice))
    try:
        reply = client.get("WhoAmI")
    except DataverseError as error:
        return replace(facts, sign_in=sign_in, failure=_trouble(error))
    caller = Caller(_text(reply.body, "UserId").lower())
    skew = _skew(reply.headers.get("Date", ""), facts.now)
    return replace(facts, sign_in=sign_in, caller=caller, clock_skew=skew)


def _where(choice: Choice) -> str:
    directory = getattr(choice.source, "directory", None)
    return directory.shown if directory else ""


def _ending(choice: Choice) -> Facts:
    """What is known of when the proof ends."""
    facts = Facts("", SignIn(""), now=time.time())
    source = choice.source
    expires = getattr(source, "expires", None)
    if not choice.others:
        return replace(facts, lasting="the built-in emulator needs no secret")
    what = "the access token" if isinstance(source, StaticToken) else "the certificate"
    if isinstance(expires, float):
        return replace(facts, expiring=what, expires=expires)
    if "secret" in choice.title:
        told = "when the client secret ends is for the app registration to say; its page in the portal shows it"
    elif isinstance(source, StaticToken):
        told = "the access token does not say when it ends"
    else:
        told = f"with {choice.title} nothing is stored that could end"
    return replace(facts, lasting=told)


@dataclass(frozen=True)
class _Asked:
    """The answers of one wave, by name."""

    replies: Mapping[str, Reply | DataverseError]

    def body(self, name: str) -> Mapping[str, Any] | Trouble:
        """What was answered, or why not."""
        reply = self.replies[name]
        error = reply if isinstance(reply, DataverseError) else reply.error
        if error is not None or isinstance(reply, DataverseError):
            return _trouble(error) if error else Trouble("no answer came")
        return reply.body if isinstance(reply.body, Mapping) else Trouble("the answer holds no rows")

    def rows(self, name: str) -> list[Mapping[str, Any]] | Trouble:
        """The rows of a collection, or why there are none."""
        body = self.body(name)
        if isinstance(body, Trouble):
            return body
        rows = body.get("value")
        return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else Trouble("no rows came")


def _asked(client: Client, facts: Facts, output: Output) -> Facts:
    user = facts.caller.user_id if facts.caller else ""
    paths = _paths(user)
    outcomes = client.send([[Request("GET", path)] for path in paths.values()])
    found = _Asked(
        {
            name: outcome.error or next(iter(outcome.replies))  # type: ignore[misc]  # one plain request, one Reply
            for name, outcome in zip(paths, outcomes, strict=True)
        }
    )
    return replace(_about_environment(found, facts), **_about_caller(found, user, output))


def _paths(user: str) -> dict[str, str]:
    bound = "Microsoft.Dynamics.CRM"
    teams = "RetrieveUsersPrivilegesThroughTeams(ExcludeOrgDisabledPrivileges=true,IncludeSetupUserFiltering=true)"
    names = " or ".join(
        [
            *(f"startswith(uniquename,'{each}')" for each in ("msdyn_Omnichannel", "Omnichannel")),
            *(f"uniquename eq '{each}'" for each in ("UnifiedRouting", "msdyn_UnifiedRoutingForEntity")),
        ]
    )
    access = f"{bound}.EndpointAccessType'Default'"
    return {
        "version": "RetrieveVersion()",
        "organization": f"RetrieveCurrentOrganization(AccessType=@p1)?@p1={access}",
        "user": query(f"systemusers({user})", select=["fullname", "internalemailaddress", "applicationid"]),
        "roles": query(f"systemusers({user})/systemuserroles_association", select=["name"]),
        "privileges": f"systemusers({user})/{bound}.RetrieveUserPrivileges",
        "team privileges": f"systemusers({user})/{bound}.{teams}",
        "solutions": query("solutions", select=["uniquename", "friendlyname", "version"], filter=names),
        "work streams": query("msdyn_liveworkstreams", select=["msdyn_name"], top=1),
    }


def _about_environment(found: _Asked, facts: Facts) -> Facts:
    version, organization, solutions = found.body("version"), found.body("organization"), found.rows("solutions")
    detail = {} if isinstance(organization, Trouble) else organization.get("Detail") or {}
    streams = found.body("work streams")
    return replace(
        facts,
        version=_text(version, "Version") or _text(detail, "OrganizationVersion"),
        organization=_text(detail, "FriendlyName"),
        organization_id=_text(detail, "OrganizationId").lower(),
        solutions=solutions if isinstance(solutions, Trouble) else tuple(_solution(row) for row in solutions),
        omnichannel_missing=isinstance(streams, Trouble) and "segment" in streams.message,
    )


def _solution(row: Mapping[str, Any]) -> Solution:
    return Solution(_text(row, "uniquename"), _text(row, "friendlyname"), _text(row, "version"))


def _about_caller(found: _Asked, user: str, output: Output) -> dict[str, Any]:
    row, roles = found.body("user"), found.rows("roles")
    name = _text(row, "fullname")
    if not _text(row, "applicationid"):
        output.know_people([(name, _text(row, "internalemailaddress"))], ())
    names = () if isinstance(roles, Trouble) else tuple(sorted({_text(role, "name") for role in roles}))
    return {"caller": Caller(user, name, names), "held": _held(found)}


def _held(found: _Asked) -> frozenset[str] | Trouble:
    """What the caller holds directly and through teams; what teams add can be left untold, what is direct cannot."""
    names: set[str] = set()
    for each in ("privileges", "team privileges"):
        body = found.body(each)
        if isinstance(body, Trouble):
            return body
        held = body.get("RolePrivileges")
        names |= {_text(row, "PrivilegeName") for row in held if isinstance(row, Mapping)} if held else set()
    return frozenset(filter(None, names))


def _for_playbook(session: Session, facts: Facts) -> Facts:
    playbook, kinds = session.playbook, session.kinds
    queries = tuple(wanted(kinds, playbook.desired))
    try:
        decision = session.decide(session.look())
    except Refused:
        raise
    except (DataverseError, D365SetupError) as error:
        trouble = _trouble(error) if isinstance(error, DataverseError) else Trouble(" ".join(str(error).split()))
        return replace(facts, playbook=playbook.name, needs=of(queries, ()), no_plan=trouble)
    changes = [change for change in decision.plan.changes if not change.manual]
    return replace(
        facts,
        playbook=playbook.name,
        needs=of(queries, decision.writes),
        gives_roles=any(change.id.kind == "role_assignment" for change in changes),
    )


def _check_expected(facts: Facts, expected: str) -> None:
    environment = Environment(facts.url, facts.organization_id, facts.organization)
    check_expected(environment, expected)


def _trouble(error: DataverseError) -> Trouble:
    return Trouble(str(error), error.hint or (_SIGN_IN if isinstance(error, AuthError) else ""))


def _skew(date: str, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _text(row: Any, name: str) -> str:
    value = row.get(name) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else ""
