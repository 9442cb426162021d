"""Whether a hand-off is ready: bot, work stream, rule, queue, people, and the first link that is broken. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from d365setup.audit.arriving import leads_to, start
from d365setup.audit.findings import Audit, Finding
from d365setup.center import ContactCenter, User, Workstream
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.workstream import Workstream as WorkstreamSpec
from d365setup.model import join_key
from d365setup.playbook import Playbook
from d365setup.routing import Escalated, Leg, Simulation, Start, Value, minimal_escalations, simulate

What = Literal["bot", "work stream", "rule", "queue", "people"]
State = Literal["ok", "broken", "unknown"]
_OF_STREAM = ("R15", "R16", "R17")  # what breaks a work stream itself; the others break a rule, a queue or a person


@dataclass(frozen=True)
class Link:
    """One link of a hand-off. ``why`` says what is wrong, or not known; ``findings`` are the ids that tell more.

    ``waived``: every finding that breaks it is waived.
    """

    what: What
    name: str
    state: State = "ok"
    why: str = ""
    findings: tuple[str, ...] = ()
    waived: bool = False

    @property
    def breaks(self) -> bool:
        """Whether it is broken and nobody answers for that."""
        return self.state == "broken" and not self.waived


@dataclass(frozen=True)
class Path:
    """What becomes of one hand-over of a bot. ``handed_over`` says how it is meant: a scenario, or a value."""

    workstream: str
    bot: str
    handed_over: str
    links: tuple[Link, ...]

    @property
    def first_broken(self) -> Link | None:
        """Where it breaks."""
        return next((each for each in self.links if each.state == "broken"), None)

    @property
    def is_ready(self) -> bool:
        """Whether no link is broken without being waived, and none is unknown."""
        return all(each.state == "ok" or (each.state == "broken" and each.waived) for each in self.links)

    @property
    def breaks(self) -> bool:
        """Whether a link is broken that nobody waived."""
        return any(each.breaks for each in self.links)


@dataclass(frozen=True)
class Readiness:
    """Every hand-off a playbook is about."""

    paths: tuple[Path, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether one of them breaks, and nobody waived it."""
        return any(each.breaks for each in self.paths)


def readiness(center: ContactCenter, playbook: Playbook, at: datetime, audit: Audit | None = None) -> Readiness:
    """The hand-offs of each declared bot through each declared work stream that leads to it.

    ``audit`` is one of the same center: its errors break a link, waived or not.
    """
    return Readiness(tuple(_Look(center, playbook, at, audit or Audit(center)).paths()))


@dataclass(frozen=True)
class _Look:
    center: ContactCenter
    playbook: Playbook
    at: datetime
    audit: Audit

    def paths(self) -> Iterator[Path]:
        for spec in self.playbook.desired.of(BotUser):
            bot = _found(self.center, spec)
            first = self._bot(spec, bot)
            if bot is None:
                yield Path("", spec.name, "", (first,))
                continue
            for stream in self._leading_to(bot):
                for told, context in self._hand_overs(stream):
                    yield Path(stream.name, bot.name, told, (first, *self._rest(bot, stream, context)))
            if not any(self._leading_to(bot)):
                yield Path("", bot.name, "", (first, self._unreached(bot)))

    def _leading_to(self, bot: User) -> Iterator[Workstream]:
        for spec in self.playbook.desired.of(WorkstreamSpec):
            stream = self.center.workstream(spec.name)
            if stream is not None and leads_to(self.center, stream, bot):
                yield stream

    def _unreached(self, bot: User) -> Link:
        """No work stream leads to the bot; a person could still hand it a conversation, if it is in a queue."""
        queue = next(self.center.memberships(bot.row_id), None)
        names = ", ".join(spec.name for spec in self.playbook.desired.of(WorkstreamSpec)) or "none"
        told = "no rule and no fallback of the playbook's work streams leads to the bot"
        if queue is None:
            return Link("work stream", names, "broken", f"{told}, and it is in no queue")
        return Link("work stream", names, "unknown", f"{told}; a person could transfer a conversation to {queue.name}")

    def _hand_overs(self, stream: Workstream) -> Iterator[tuple[str, Mapping[str, Value]]]:
        """What the bot is known to hand over here: its scenarios, or else the first value that any rule asks for."""
        declared = {each.name for each in stream.variables or ()}
        fitting = [
            (f"scenario {each.name}", each.escalate.context)
            for each in self.playbook.scenarios
            if each.escalate and (stream.variables is None or declared.issuperset(each.escalate.context))
        ]
        if fitting:
            yield from fitting
            return
        context = next(iter(minimal_escalations(stream)), {})
        told = ", ".join(f"{name} = {value}" for name, value in context.items())
        yield (told or "nothing"), context

    def _bot(self, spec: BotUser, bot: User | None) -> Link:
        if bot is None:
            return Link("bot", spec.name, "broken", f"no user has its application ID {spec.application_id}")
        return self._judged("bot", bot.name, self._errors("bot_user", bot.row_id))

    def _rest(self, bot: User, stream: Workstream, context: Mapping[str, Value]) -> Iterator[Link]:
        values = start(self.center, stream, bot)
        played = simulate(self.center, stream.name, (Start(values), Escalated(context, bot.name)), self.at)
        yield self._stream(bot, stream, played)
        yield from self._after(stream, played)

    def _stream(self, bot: User, stream: Workstream, played: Simulation) -> Link:
        found = [each for each in self._errors("workstream", stream.row_id) if each.id in _OF_STREAM]
        leg = played.strict.legs[0]
        if not stream.active:
            return Link("work stream", stream.name, "broken", "it is inactive")
        if found or (leg.answer == "bot" and leg.answered_by == bot.name):
            return self._judged("work stream", stream.name, found)
        if leg.answer == "unknown":
            return Link("work stream", stream.name, "unknown", _noted(leg, "who gets a new conversation is not known"))
        went = leg.answered_by or leg.queue or "nobody"
        return Link("work stream", stream.name, "broken", f"a new conversation does not come to the bot but to {went}")

    def _after(self, stream: Workstream, played: Simulation) -> Iterator[Link]:
        """Rule, queue and people; where the rule cannot be told, the first that may match stands for it."""
        leg = played.strict.last
        may = next((each for each in leg.rules if each.result in ("matched", "cannot decide")), None)
        rule, queue = leg.rule or (may.name if may and not leg.queue else ""), leg.queue or (may.queue if may else "")
        of_rule = self._rule_errors(stream, rule) if rule else []
        agrees = leg.queue == played.loose.last.queue
        yield self._rule(leg, rule, [each for each in of_rule if each.id != "R09"], agrees=agrees)
        of_queue = self._errors("queue", leg.queue_id or (may.queue_id if may else ""))
        lost = [each for each in (*of_rule, *of_queue) if each.id == "R09"]  # told of the rule, and it is the queue
        if queue:
            yield self._judged("queue", queue, lost)
        if leg.queue:
            yield self._people(leg, of_queue)

    def _rule_errors(self, stream: Workstream, rule: str) -> list[Finding]:
        found = self._errors("routing_rule", stream.routes.row_id if stream.routes else "")
        return [each for each in found if each.subject.key == join_key(stream.name, rule)]

    def _rule(self, leg: Leg, rule: str, errors: Sequence[Finding], *, agrees: bool) -> Link:
        name = rule or leg.chosen_by
        if leg.chosen_by == "cannot decide":
            return Link("rule", name, "unknown", _noted(leg, "which rule matches cannot be decided"))
        if not leg.queue:
            return Link("rule", name, "broken", _noted(leg, "it leads to no queue"))
        if not agrees:
            told = "whether it matches depends on how upper and lower case and blanks are compared"
            return Link("rule", name, "unknown", told)
        return self._judged("rule", name, errors)

    def _people(self, leg: Leg, errors: Sequence[Finding]) -> Link:
        if leg.answer == "unknown":
            return Link("people", leg.queue, "unknown", _noted(leg, "who would get it is not known"))
        if leg.answer in ("person", "bot"):
            eligible = [each.name for each in leg.candidates if each.eligible]
            name = leg.answered_by or next(iter(eligible), leg.queue)
            return Link("people", f"{name} ({len(eligible)} could)" if len(eligible) > 1 else name)
        end = "the system closes it" if leg.closed else "it waits for ever" if leg.waits else "nobody gets it"
        why = next((each.why for each in leg.candidates if each.why), "nobody is in the queue")
        found = [each for each in errors if each.id in ("R01", "R09", "R31")]
        broken = self._judged("people", leg.queue, found)
        return Link("people", leg.queue, "broken", f"{end}: {why}", broken.findings, broken.waived)

    def _errors(self, kind: str, row_id: str) -> list[Finding]:
        found = (each for each in self.audit.findings if each.level == "error")
        return [each for each in found if each.subject.kind == kind and each.subject.row_id == row_id]

    def _judged(self, what: What, name: str, errors: Sequence[Finding]) -> Link:
        if not errors:
            return Link(what, name)
        ids = tuple(dict.fromkeys(each.id for each in errors))
        why = "; ".join(dict.fromkeys(each.message for each in errors))
        return Link(what, name, "broken", why, ids, all(each.waived for each in errors))


def _found(center: ContactCenter, spec: BotUser) -> User | None:
    known = (*center.bots, *center.users)
    return next((each for each in known if each.application_id.lower() == spec.application_id), None)


def _noted(leg: Leg, otherwise: str) -> str:
    return " ".join(leg.notes) or otherwise
