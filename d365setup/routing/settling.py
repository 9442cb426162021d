"""What becomes of a conversation in a queue: who gets it, or that it waits, moves on or is closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from d365setup.center import Overflow, Queue
from d365setup.routing.assigning import Past, Standing, Winners, named, order_told, standings, winners
from d365setup.routing.journey import Answer, Candidate
from d365setup.routing.matching import target
from d365setup.routing.setting import Known, Setting

_FIRST_WAIT = 10**9


@dataclass(frozen=True)
class Settled:
    """Where a conversation ended up. ``bot_id`` is the bot that has it; ``moved``: the wait sent it on."""

    queue: Queue | None
    answer: Answer = "nobody"
    answered_by: str = ""
    bot_id: str = ""
    candidates: tuple[Candidate, ...] = ()
    closed: bool = False
    waits: bool = False
    moved: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settler:
    """One conversation on its way into queues. ``ignores_wait``: the queue's settings for waiting do not count."""

    setting: Setting
    past: Past
    known: Known
    ignores_wait: bool = False

    def settle(self, queue: Queue, visited: tuple[str, ...] = ()) -> Settled:
        """Follow a conversation that enters a queue; ``visited`` are the queues whose wait sent it on."""
        if queue.members is None:
            return Settled(queue, "unknown", notes=(f"The members of {queue.name} were not read.",))
        if not queue.members and not queue.staff.people and queue.type == "messaging":
            told = f"{queue.name} has no members, so the system closes the conversation."
            return Settled(queue, closed=True, notes=(told,))
        members = standings(self.setting, queue, self.past, self.known)
        found = winners(self.setting, queue, members)
        candidates = tuple(map(_candidate, members))
        if found.standings:
            return replace(_given(self.setting, queue, found), candidates=candidates)
        return self._waiting(queue, members, visited, candidates)

    def _waiting(
        self, queue: Queue, members: Sequence[Standing], visited: tuple[str, ...], candidates: tuple[Candidate, ...]
    ) -> Settled:
        """Nobody can take it now: the queue's longest wait may send it on, else somebody gets free, or nobody ever."""
        here = Settled(queue, candidates=candidates)
        if self.ignores_wait:
            return _stuck(here, members)
        if queue.inqueue is None:
            return replace(here, answer="unknown", notes=(f"What {queue.name} does after a long wait was not read.",))
        if any(line.when != "waited" for line in queue.inqueue):
            return replace(here, answer="unknown", notes=(f"How long one may wait in {queue.name} is not understood.",))
        line = min(queue.inqueue, key=lambda each: _FIRST_WAIT if each.limit is None else each.limit, default=None)
        if line is None or line.action == "assign anyway":
            return _stuck(here, members)
        return self.overflown(queue, line, (*visited, queue.row_id), _waited(queue, line), here)

    def overflown(
        self, queue: Queue, line: Overflow, visited: tuple[str, ...], why: str, here: Settled | None = None
    ) -> Settled:
        """The action of an overflow setting, carried out."""
        here = here or Settled(queue)
        match line.action:
            case "end conversation":
                return replace(here, closed=True, moved=True, notes=(f"{why}: the conversation is ended.",))
            case "assign anyway":
                found = self.settle(queue, visited)
                return replace(found, notes=(f"{why}: it goes there anyway.", *found.notes))
            case "transfer":
                return self._transferred(line, visited, why, here)
        return replace(here, answer="unknown", moved=True, notes=(f"{why}: what is done then is not understood.",))

    def _transferred(self, line: Overflow, visited: tuple[str, ...], why: str, here: Settled) -> Settled:
        place = target(self.setting, line.queue_id)
        if place.queue is None:
            told = f"{why}: it is sent on, but {place.why}."
            return replace(here, answer="unknown", moved=True, notes=(told,))
        if place.queue_id in visited:
            told = f"{why}: it is sent to {place.name}, where it has been: it goes round in circles."
            return replace(here, waits=True, moved=True, notes=(told,))
        found = self.settle(place.queue, visited)
        return replace(found, moved=True, notes=(f"{why}: it is sent to {place.name}.", *found.notes))


def _waited(queue: Queue, line: Overflow) -> str:
    limit = "" if line.limit is None else f" within {line.limit} s"
    return f"Nobody in {queue.name} takes it{limit}"


def _stuck(here: Settled, members: Iterable[Standing]) -> Settled:
    queue = here.queue.name if here.queue else ""
    able = [each for each in members if each.able is not False]
    if any(each.able is None for each in able):
        return replace(here, answer="unknown", notes=(f"Nobody in {queue} is surely able to take it.",))
    if able:
        told = f"Nobody in {queue} is free; it waits for one of them."
        return replace(here, answer="person", answered_by=named(able), notes=(told,))
    return replace(here, waits=True, notes=(f"Nobody in {queue} will ever be given it: it waits for ever.",))


def _given(setting: Setting, queue: Queue, found: Winners) -> Settled:
    bots = [each for each in found.standings if each.is_bot]
    people = [each for each in found.standings if not each.is_bot]
    unordered = order_told(setting, queue)
    if not found.certain:
        doubtful = ", ".join(each.name for each in found.standings)
        return Settled(queue, "unknown", notes=(f"Whether {doubtful} may be given it cannot be told.",))
    if bots and people:
        told = unordered or f"a bot and a person of {queue.name} may both come first"
        return Settled(queue, "unknown", notes=(f"Bot or person: {told}.",))
    if len(bots) > 1:
        names = ", ".join(each.name for each in bots)
        return Settled(queue, "bot", notes=(f"Any of these bots may come first: {names}.",))
    if bots:
        return Settled(queue, "bot", bots[0].name, bots[0].row_id)
    manual = () if setting.stream.push and queue.assignment != "no assignment" else (_PICKED,)
    return Settled(queue, "person", named(people), notes=manual)


_PICKED = "Nobody is given it by itself: a person has to pick it."


def _candidate(each: Standing) -> Candidate:
    eligible = each.able is True and each.free
    return Candidate(each.name, each.row_id, each.is_bot, eligible, each.why, each.units)
