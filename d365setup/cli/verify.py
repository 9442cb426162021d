"""`d365setup verify`: is the environment still what the playbook says, and is the hand-off ready?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from d365setup.audit import Audit, Seen
from d365setup.audit import audit as judged
from d365setup.audit.readiness import Readiness, readiness
from d365setup.cli.beside import Beside, with_beside
from d365setup.cli.deciding import decided
from d365setup.cli.environment import opened
from d365setup.cli.options import Given, Target, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.sealing import with_evidence
from d365setup.cli.surveyed import bots_in, people_in, surveyed
from d365setup.cli.waiving import loaded_waivers, today, with_waivers
from d365setup.errors import Unresolvable
from d365setup.model import LiveState, Plan
from d365setup.report import Verification
from d365setup.session import Session, bots_of, people_of
from d365setup.waivers import Waivers, apply

_HELP = taught(
    "Compare an environment with a playbook and show the drift; then follow each hand-off from the bot to the people "
    "who take it, and show the first link that is broken. Sends nothing but reads.",
    "d365setup verify playbooks/health-bot.yaml --emulator",
    "d365setup verify contoso.yaml --url https://contoso.crm.dynamics.com --format json",
    "d365setup verify contoso.yaml --waivers waivers.yaml",
    exits="0 in line and ready, 3 drift, 4 no drift and a hand-off that breaks, an error on its way or a waiver that "
    "expired, 1 the environment cannot resolve something: then hand-offs are all that is looked at.",
)


@click.command("verify", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@with_waivers
@with_variables
@with_target
@with_beside
@with_output
@with_evidence
def command(
    playbook: Path, *, answered: Path | None, given: Given, target: Target, beside: Beside, output: Output
) -> int:
    """Read, compare, judge."""
    waivers = loaded_waivers(answered, output) or Waivers()
    with opened(playbook, given, target, output, read_only=True, beside=beside) as session:
        try:
            decision = decided(session, target, output)
        except Unresolvable as error:
            return output.emit(_unresolved(session, error, waivers, output))
        ready, found = _looked(session, decision.scope.live, waivers, output)
        return output.emit(Verification(decision.plan, ready, found))


def _unresolved(session: Session, error: Unresolvable, waivers: Waivers, output: Output) -> Verification:
    """Nothing can be compared, but hand-offs can be followed. Raises the error again where not even that is so."""
    try:
        live = session.look()
    except Unresolvable:
        raise error from None
    ready, found = _looked(session, live, waivers, output)
    name, digest = session.playbook.name, session.playbook.sha256
    plan = Plan(live.environment, name, digest, warnings=(*error.notes, *session.remarks))
    return Verification(plan, ready, found, error.exit_code)


def _looked(session: Session, live: LiveState, waivers: Waivers, output: Output) -> tuple[Readiness, Audit]:
    """The hand-offs as they are, and what is found on their way."""
    center, now = surveyed(session.client, session.playbook), datetime.now(UTC)
    people, bots = (*people_of(live), *people_in(center)), (*bots_of(session.playbook), *bots_in(center))
    output.know_people(people, bots)
    found = apply(judged(Seen(center, now, session.playbook)), waivers, today())
    return readiness(center, session.playbook, now, found), found
