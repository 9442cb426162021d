"""Conversations that a bot hands over, and that come back to where only bots are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from d365setup.audit.checking import Result, Seen, about_queue, about_rule, about_workstream, check, finding
from d365setup.audit.destinations import targets
from d365setup.audit.escalations import Context, Entry, Route, entries, handed_over, matched, routes, strands
from d365setup.audit.findings import Level, Subject, Unchecked
from d365setup.audit.overflowing import reasons, spills
from d365setup.audit.reading import unreadable
from d365setup.center import ContactCenter, Queue, Workstream
from d365setup.pages import page
from d365setup.playbook import Scenario
from d365setup.ruleset import Rule

_MOST_SHOWN = 3
INFO: Level = "info"
_DOUBT = "whether a rule before it matches, whose queue does not overflow, is not certain"


@dataclass(frozen=True)
class _Part:
    """One work stream of what is audited, with what every hand-over in it is held against."""

    seen: Seen
    stream: Workstream
    rules: tuple[Route, ...]

    @property
    def center(self) -> ContactCenter:
        """The whole of it."""
        return self.seen.center

    def strands(self, rule: Rule | None, bots: frozenset[str]) -> bool | None:
        """Whether where a rule (None: the fallback queue) leads only these bots are."""
        ids = targets(rule) if rule else (self.stream.fallback_id,)
        found = {strands(self.center.queue(each), bots) for each in ids}
        return True if True in found else None if None in found else False

    def landing(self, context: Context, bots: frozenset[str]) -> tuple[bool | None, Rule | None]:
        """Whether a hand-over is stranded with these bots, and the first rule that surely matches."""
        found = matched(self.stream, self.rules, context)
        first = next((each.rule for each in found if each.is_sure), None)
        doubtful = takewhile(lambda each: not each.is_sure, found)
        verdicts = {self.strands(rule, bots) for rule in (*(each.rule for each in doubtful), first)}
        return (verdicts.pop() if len(verdicts) == 1 else None), first


def _parts(seen: Seen) -> Iterator[_Part]:
    for stream in seen.workstreams:
        if stream.configurations is not None and not any(each.problem for each in (stream.routes,) if each):
            yield _Part(seen, stream, routes(stream))


@dataclass(frozen=True)
class _Judged:
    """What became of the hand-overs of one way to the bot; the names are of variables, scenarios keep theirs."""

    entry: Entry
    caught: tuple[str, ...] = ()
    fallen: tuple[Context, ...] = ()
    undecided: tuple[Context, ...] = ()
    scenarios: tuple[Scenario, ...] = ()  # declared, and not caught
    rule: Rule | None = None  # where what falls through lands; None: in the fallback queue
    comes_back: bool = False  # a hand-over that sets nothing does

    @property
    def is_error(self) -> bool:
        """Whether no single variable is sure to be caught, or a declared hand-over is not."""
        uncaught = not self.caught and not self.undecided and (bool(self.fallen) or self.comes_back)
        return bool(self.scenarios) or uncaught


@check("R01")
def bots_alone(seen: Seen) -> Iterator[Result]:
    """Every hand-over is caught before it comes back to a queue of bots alone; the fallback is no such queue."""
    for stream in seen.workstreams:
        yield from unreadable("R01", stream)
    for part in _parts(seen):
        yield from _fallback(part)
        if part.stream.variables is None and tuple(entries(part.center, part.stream)):
            told = "the work stream's context variables could not be read"
            yield Unchecked("R01", told, about_workstream(part.stream))
            continue
        yield from _merged(part, [_judged(part, entry) for entry in entries(part.center, part.stream)])


def _fallback(part: _Part) -> Iterator[Result]:
    queue = part.center.queue(part.stream.fallback_id)
    if queue is not None and queue.is_bot_only:
        told = f"it has bots and no person, and it is the fallback queue of {part.stream.name}"
        cure = page("R12").section("Cure")  # a rule would not help: this queue takes what no rule does
        yield finding("R01", about_queue(queue), told, cure=cure, workstream=part.stream.name, bots=_bots(queue))


def _judged(part: _Part, entry: Entry) -> _Judged:
    caught, fallen, undecided = [], [], []
    landed: Rule | None = None
    for name, contexts in handed_over(part.stream, entry).items():
        ends = [(context, *part.landing(context, entry.bots)) for context in contexts]
        through = [(context, rule) for context, stranded, rule in ends if stranded]
        unknown = [context for context, stranded, _ in ends if stranded is None]
        fallen += [context for context, _ in through[:1]]
        undecided += unknown[:1] if not through else []
        landed = through[0][1] if through else landed
        if not through and not unknown:
            caught.append(name)
    missed = tuple(each for each in _scenarios(part) if part.landing(_said(entry, each), entry.bots)[0])
    bare, last = part.landing(entry.context, entry.bots)
    return _Judged(entry, tuple(caught), tuple(fallen), tuple(undecided), missed, landed or last, comes_back=bool(bare))


def _scenarios(part: _Part) -> Iterator[Scenario]:
    """The playbook's hand-overs whose variables this work stream declares."""
    names = {each.name for each in part.stream.variables or ()}
    for each in part.seen.playbook.scenarios if part.seen.playbook else ():
        if each.escalate is not None and set(each.escalate.context) <= names:
            yield each


def _said(entry: Entry, scenario: Scenario) -> Context:
    return {**entry.context, **(scenario.escalate.context if scenario.escalate else {})}


def _merged(part: _Part, judged: Sequence[_Judged]) -> Iterator[Result]:
    """One finding for each queue, of the worst that was found about it."""
    told: set[str] = set()
    for each in sorted(judged, key=lambda found: not found.is_error):
        for queue in _queues(part, each):
            if queue.row_id not in told and (each.is_error or each.fallen):
                told.add(queue.row_id)
                yield _stranding(part, each, queue)
        if each.undecided and not each.caught and not each.is_error:
            told_why = f"cannot decide whether a hand-over from {each.entry.by} is caught: {_shown(each.undecided)}"
            yield Unchecked("R01", told_why, about_workstream(part.stream))


def _queues(part: _Part, judged: _Judged) -> Iterator[Queue]:
    """Where what falls through is stranded."""
    ids = targets(judged.rule) if judged.rule else (part.stream.fallback_id,)
    for queue in filter(None, map(part.center.queue, ids)):
        if strands(queue, judged.entry.bots):
            yield queue


def _stranding(part: _Part, judged: _Judged, queue: Queue) -> Result:
    name, level, happens = part.stream.name, None, ""
    if judged.scenarios:
        names = ", ".join(repr(each.name) for each in judged.scenarios)
        told = f"only bots are in it, and the hand-over of the scenario {names} comes back to it ({name})"
    elif judged.is_error:
        shown = _shown(judged.fallen) or "nothing at all"
        told = f"only bots are in it, and no rule of {name} is sure to catch a hand-over (it comes back with: {shown})"
    else:
        told = f"a hand-over that sets only {_shown(judged.fallen)} comes back to it, and only bots are in it ({name})"
        always = " or ".join(judged.caught) or "what the rules ask for"
        happens = f"Nothing as long as the bot always sets {always}; without it the patient waits for ever."
        level = INFO
    return finding(
        "R01",
        about_queue(queue),
        told,
        level=level,
        consequence=happens,
        workstream=name,
        bots=_bots(queue),
        reached_by=judged.entry.by,
    )


@check("R11")
def spill_to_the_bot(seen: Seen) -> Iterator[Result]:
    """When the queue of a topic overflows, no rule behind it sends the conversation back to bots alone."""
    for stream in seen.workstreams:
        yield from unreadable("R11", stream)
    for part in _parts(seen):
        told: set[str] = set()
        for entry in entries(part.center, part.stream):
            for context in _contexts(part, entry):
                result, rule = _spilled(part, entry, context)
                if result is not None and rule not in told:
                    told.add(rule)
                    yield result


def _contexts(part: _Part, entry: Entry) -> Iterator[Context]:
    for contexts in handed_over(part.stream, entry).values():
        yield from contexts
    yield from (_said(entry, each) for each in _scenarios(part))


def _spilled(part: _Part, entry: Entry, context: Context) -> tuple[Result | None, str]:
    """What is wrong for one hand-over, and the rule it is told of."""
    found = matched(part.stream, part.rules, context)
    at = next((at for at, each in enumerate(found) if each.is_sure and part.strands(each.rule, entry.bots)), 0)
    before = found[:at]
    if not any(each.is_sure for each in before):
        return None, ""  # it does not come back, or nothing is before that (R01 tells of it)
    held = {spills(part.center, each.rule) for each in before if each.is_sure}
    perhaps = {spills(part.center, each.rule) for each in before}
    rule_set, back = part.stream.routes, found[at].rule
    assert rule_set is not None  # its rules matched  # noqa: S101
    subject = about_rule(part.stream, rule_set, back)
    if False in held:
        return None, ""
    if perhaps != {True}:
        why = "hours or overflow settings of a queue before it could not be read" if None in perhaps else _DOUBT
        return Unchecked("R11", f"cannot decide: {why}", subject), back.id
    return _trap(part, subject, context, [each.rule for each in before]), back.id


def _trap(part: _Part, subject: Subject, context: Context, before: Sequence[Rule]) -> Result:
    why = "; ".join(dict.fromkeys(each for rule in before for each in reasons(part.center, rule)))
    first, handed = ", ".join(repr(rule.name) for rule in before[:_MOST_SHOWN]), _shown([context])
    told = f"after a hand-over of {handed} it still matches behind {first}, and takes over when that overflows"
    return finding("R11", subject, told, workstream=part.stream.name, hand_over=handed, overflow=why)


def _bots(queue: Queue) -> str:
    return ", ".join(bot.name for bot in queue.bots)


def _shown(contexts: Sequence[Context]) -> str:
    """The hand-overs, each as `Topic = 'Nurse' and Severity = 3`."""
    told = [" and ".join(f"{name} = {value!r}" for name, value in each.items()) for each in contexts[:_MOST_SHOWN]]
    more = len(contexts) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")
