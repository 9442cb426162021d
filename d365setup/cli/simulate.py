"""`d365setup simulate`: where a conversation goes, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from d365setup.center import ContactCenter
from d365setup.cli.conversation import chosen_stream, known_bot, moment, values_of
from d365setup.cli.environment import Surroundings, loaded, opened
from d365setup.cli.options import Given, Target, gathered, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.testing import proven, proven_alone
from d365setup.errors import Unresolvable, UsageError
from d365setup.intended import of_playbook
from d365setup.playbook import Playbook
from d365setup.proof import Proof
from d365setup.report import Simulated
from d365setup.routing import Escalated, Simulation, Start, simulate
from d365setup.session import Session, bots_of, people_of

_HELP = taught(
    "Show where a conversation goes and why: each rule with its result, the queue, who would get it and who would not. "
    "On what the playbook says, without any environment; with --live on the environment's own rules. Sends nothing but "
    "reads. Runs the playbook's tests as well.",
    "d365setup simulate playbooks/health-bot.yaml --examples",
    "d365setup simulate contoso.yaml --set BotHandOffTopic=Nurse --escalated-by 'Contoso Health Bot'",
    "d365setup simulate contoso.yaml --live --at 2026-03-01T22:30+01:00 --url https://contoso.crm.dynamics.com",
    "d365setup simulate contoso.yaml --set BotHandOffTopic=Nurse --diagram > path.mmd",
    exits="0 somebody answers, and the playbook's tests pass; 4 it waits for ever, the system closes it, it cannot be "
    "decided, or a test of the playbook failed; 2 the call or the playbook is wrong.",
)


@dataclass(frozen=True)
class Conversation:
    """What is to be played."""

    set: tuple[str, ...] = ()
    workstream: str | None = None
    escalated_by: str | None = None
    at: str | None = None
    live: bool = False
    examples: bool = False
    diagram: bool = False


_with_conversation = gathered(
    Conversation,
    "asked",
    click.option("--set", multiple=True, metavar="NAME=VALUE", help="A context variable and its value. Repeats."),
    click.option("--workstream", metavar="NAME", help="The work stream, where the playbook has several."),
    click.option(
        "--escalated-by",
        metavar="BOT",
        help="The bot that hands over with these values. Without it a patient begins with them.",
    ),
    click.option(
        "--at", metavar="TIME", help="When, as 2026-03-01T22:30+01:00; without a zone it is UTC. [default: now]"
    ),
    click.option("--live", is_flag=True, help="Use the environment's own rules, people and hours, not the playbook's."),
    click.option("--examples", is_flag=True, help="A variable without a value takes its example, as with --emulator."),
    click.option("--diagram", is_flag=True, help="Print a Mermaid flowchart in place of the text."),
)


@click.command("simulate", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@_with_conversation
@with_variables
@with_target
@with_output
def command(playbook: Path, *, asked: Conversation, given: Given, target: Target, output: Output) -> int:
    """Load, read if asked to, play, show."""
    at = moment(asked.at)
    if asked.live:
        with opened(playbook, given, target, output, read_only=True) as session:
            return output.emit(_live(session, asked, at, target, output))
    if target.url is not None or target.emulator:
        raise UsageError("--url and --emulator go with --live; without it no environment is looked at")
    found = loaded(playbook, given, Surroundings.here(), examples=asked.examples)
    output.know_people((), bots_of(found))
    return output.emit(_played(found, of_playbook(found), asked, at, proven_alone(found)))


def _live(session: Session, asked: Conversation, at: datetime, target: Target, output: Output) -> Simulated:
    """On the environment's own rules; the tests run on them merged with what the playbook declares."""
    from d365setup.cli.surveyed import bots_in, declared_part, people_in  # noqa: PLC0415  # only --live reads
    from d365setup.survey import read_center  # noqa: PLC0415

    output.know_people((), bots_of(session.playbook))
    live = session.look(target.expect_organization or "")
    output.know_people(people_of(live), bots_of(session.playbook))
    try:
        proof = proven(session.decide(live), session.playbook).plan.proof
    except Unresolvable as error:
        first = str(error).splitlines()[0]
        proof = Proof(origin="merged", skipped=True, reason=f"the playbook does not fit this environment: {first}")
    part = declared_part(session.playbook)
    streams = dict.fromkeys((*part.workstreams, *_named(asked)))
    center = read_center(session.client, replace(part, workstreams=tuple(streams)))
    people = (*people_of(live), *people_in(center))
    output.know_people(people, (*bots_of(session.playbook), *bots_in(center)))
    return _played(session.playbook, center, asked, at, proof)


def _named(asked: Conversation) -> tuple[str, ...]:
    return (asked.workstream,) if asked.workstream else ()


def _played(playbook: Playbook, center: ContactCenter, asked: Conversation, at: datetime, proof: Proof) -> Simulated:
    stream = chosen_stream(asked.workstream, center, playbook)
    values, warnings = values_of(asked.set, stream, is_live=asked.live)
    if asked.escalated_by is None:
        simulation = simulate(center, stream.name, (Start(values),), at)
    else:
        hand_over = Escalated(values, known_bot(asked.escalated_by, center))
        simulation, told = _handed_over(center, stream.name, hand_over, at)
        warnings += told
    if asked.at is not None and datetime.fromisoformat(asked.at).tzinfo is None:
        warnings.append(f"--at {asked.at} names no time zone and is taken as UTC")
    return Simulated(simulation, center, playbook.name, playbook.sha256, tuple(warnings), proof, asked.diagram)


def _handed_over(
    center: ContactCenter, stream: str, hand_over: Escalated, at: datetime
) -> tuple[Simulation, Sequence[str]]:
    """From the beginning, where a patient without any values comes to the bot; else from the hand-over on."""
    whole = simulate(center, stream, (Start(), hand_over), at)
    first = whole.strict.legs[0]
    if first.answer == "bot" and first.answered_by == hand_over.bot:
        return whole, ()
    went = f"but to {first.answered_by or first.queue}" if first.answered_by or first.queue else "nor to anybody"
    told = (
        f"a conversation without context variables does not come to {hand_over.bot} {went}; what follows begins where "
        f"{hand_over.bot} hands over (a test with steps in the playbook can say how it begins)"
    )
    return simulate(center, stream, (hand_over,), at), (told,)
