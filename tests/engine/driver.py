"""Plans and applies over HTTP against the emulator, as the command line does, with everything at hand to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from d365setup.apply import Settings, apply_plan, estimate
from d365setup.apply.parcels import loaded
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Request
from d365setup.kinds import discover, specs
from d365setup.live import ABOUT, read_live, wanted
from d365setup.model import Change, Note
from d365setup.outcome import Outcome, Status
from d365setup.plan import Decision, decide
from d365setup.playbook import Playbook, load

KINDS = discover()
APPLICATION = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
BOT_ID = "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01"

HEAD = f"""\
playbook: 1
name: contoso-health-bot
bot_users:
  - name: Contoso Health Bot
    application_id: {APPLICATION}
    bot_application_id: {BOT_ID}
    email: health-bot@contoso.example
"""

HAND_OFF = (
    HEAD
    + """\
queues:
  - name: Health bot
    members: [Contoso Health Bot]
  - name: Nurses
    members: [nurse.one@contoso.example]
workstreams:
  - name: Patient chat
    fallback_queue: Nurses
    context_variables:
      - {name: BotHandOffTopic, type: text}
    routing_rules:
      - {name: Hand off to a nurse, when: {BotHandOffTopic: Nurse}, queue: Nurses}
      - {name: Any other hand-off, when: {variable: BotHandOffTopic, operator: has a value}, queue: Nurses}
      - {name: Everyone meets the bot first, queue: Health bot}
"""
)


@dataclass(frozen=True)
class Applied:
    """What an apply did, and what it sent."""

    decision: Decision
    outcomes: tuple[Outcome, ...]
    notes: tuple[Note, ...]
    requests: tuple[Request, ...]
    slept: tuple[float, ...]

    @property
    def statuses(self) -> Mapping[str, Status]:
        return {str(each.change.id): each.status for each in self.outcomes}

    @property
    def rounds(self) -> int:
        return rounds(self.requests)

    @property
    def writes(self) -> list[tuple[str, str, int]]:
        return [each for request in self.requests for each in operations(request) if each[0] != "GET"]


def playbook(text: str, **variables: str) -> Playbook:
    return load(text, specs(KINDS), variables)


def decided(emulator: Emulator, text: str, *, client: Client | None = None) -> Decision:
    wants = playbook(text)
    own = client or Client(emulator.url, StaticToken("anything"), read_only=True)
    live = read_live(own, KINDS, wants.desired)
    decision = decide(wants.name, wants.sha256, wants.desired, live, KINDS)
    reads = len(ABOUT) + len(list(wanted(KINDS, wants.desired)))
    cost = estimate(loaded(decision, KINDS).stages(own.width), own.width, reads)
    if client is None:
        own.close()
    return replace(decision, plan=decision.plan.with_cost(cost))


def changes(emulator: Emulator, text: str) -> dict[str, Change]:
    return {str(change.id): change for change in decided(emulator, text).plan.changes}


def applied(emulator: Emulator, text: str, **settings: Any) -> Applied:
    """Read, plan and apply with one client; pauses are noted, not slept."""
    slept: list[float] = []
    emulator.reset_log()
    with Client(emulator.url, StaticToken("anything"), sleep=slept.append) as client:
        decision = decided(emulator, text, client=client)
        options = Settings(**{"sleep": slept.append, **settings})
        told = list(apply_plan(decision, client, KINDS, options))
    return Applied(
        decision,
        tuple(each for each in told if isinstance(each, Outcome)),
        tuple(each for each in told if isinstance(each, Note)),
        tuple(emulator.requests),
        tuple(slept),
    )


def applied_after(emulator: Emulator, text: str, act: Callable[[], None]) -> dict[str, Status]:
    """Plan, let somebody act, then apply the plan."""
    with Client(emulator.url, StaticToken("anything")) as client:
        decision = decided(emulator, text, client=client)
        act()
        told = apply_plan(decision, client, KINDS, Settings(sleep=lambda _: None))
        return {str(each.change.id): each.status for each in told if isinstance(each, Outcome)}


def converged(emulator: Emulator, text: str) -> Applied:
    """Apply, see everything verified; apply again, see nothing but reads."""
    first = applied(emulator, text)
    assert set(first.statuses.values()) <= {Status.VERIFIED}, first.outcomes
    second = applied(emulator, text)
    assert second.decision.plan.changes == ()
    assert second.writes == []
    return first


def put_rules(emulator: Emulator, text: str) -> str:
    """A route-to-queue rule set with this text on the work stream Patient chat."""
    stream, contract = emulator.sql(
        "SELECT msdyn_liveworkstreamid, msdyn_routingcontractid FROM msdyn_liveworkstream "
        "WHERE msdyn_name = 'Patient chat'"
    )[0]
    output = emulator.sql(
        "SELECT msdyn_decisioncontractid FROM msdyn_decisioncontract "
        "WHERE msdyn_uniquename = 'msdyn_demandqueueidentificationoutput'"
    )[0][0]
    rules = emulator.add(
        "msdyn_decisionruleset",
        msdyn_name="Theirs",
        msdyn_uniquename="new_theirs",
        msdyn_rulesetdefinition=text,
        msdyn_inputcontractid=contract,
        msdyn_outputcontractid=output,
    )
    configuration = emulator.add(
        "msdyn_routingconfiguration",
        msdyn_name="RC",
        msdyn_uniquename="new_rc",
        msdyn_isactiveconfiguration=True,
        msdyn_liveworkstreamid=stream,
    )
    emulator.add(
        "msdyn_routingconfigurationstep",
        msdyn_name="Route",
        msdyn_uniquename="new_step",
        msdyn_type=192350002,
        msdyn_steporder=1,
        msdyn_rulesetid=rules,
        msdyn_routingconfigurationid=configuration,
    )
    return rules


def operations(request: Request) -> Iterator[tuple[str, str, int]]:
    if request.operations:
        yield from request.operations
    else:
        yield (request.method, request.path, request.status)


def rounds(requests: tuple[Request, ...]) -> int:
    """Round trips in a row: the longest chain of requests of which each began after the one before had ended."""
    longest: list[tuple[float, int]] = []
    for request in sorted(requests, key=lambda each: each.started):
        before = max((depth for ended, depth in longest if ended <= request.started), default=0)
        longest.append((request.ended, before + 1))
    return max((depth for _, depth in longest), default=0)
