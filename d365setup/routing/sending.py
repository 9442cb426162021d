"""Rules, overflow and queue together: where a conversation is sent, and what becomes of it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from d365setup.center import AGENT_ROLE, RuleSet, User
from d365setup.routing.assigning import Past
from d365setup.routing.choosing import Choice, choose, fallback, passed_over
from d365setup.routing.deciding import Answer
from d365setup.routing.journey import ChosenBy, RuleResult
from d365setup.routing.matching import Match, results
from d365setup.routing.setting import Known, Setting
from d365setup.routing.settling import Settled, Settler
from d365setup.routing.wording import alternative, ending

_MOST_NOTES = 12


@dataclass(frozen=True)
class Sent:
    """Where a conversation was sent and what became of it; ``fired``: an overflow setting was carried out."""

    chosen_by: ChosenBy
    settled: Settled
    rule: str = ""
    rules: tuple[RuleResult, ...] = ()
    notes: tuple[str, ...] = ()
    fired: Answer = False


def taken_by_stream_bot(setting: Setting) -> Sent:
    """A new conversation goes to the work stream's own bot; overflow is not looked at."""
    bot, queue = setting.center.user(setting.stream.bot_user_id), setting.center.queue(setting.stream.bot_queue_id)
    why = _unfit(setting, bot)
    if bot is None or why:
        told = f"It cannot be told who gets it: {why}."
        return Sent("work stream bot", Settled(queue, "unknown", notes=(told,)))
    return Sent("work stream bot", Settled(queue, "bot", bot.name, bot.row_id))


def send(setting: Setting, past: Past, known: Known, *, due: Answer) -> Sent:
    """Run the route-to-queue rules; ``due``: whether overflow before queueing is looked at."""
    stream = setting.stream
    if stream.configurations is None:
        return _undecided(notes=("The routing configuration of the work stream was not read.",))
    rule_set = stream.routes or RuleSet("")
    if rule_set.problem:
        told = f"The rule set {rule_set.name} cannot be read: {rule_set.problem}"
        return _undecided(notes=(told, *_otherwise(setting, past, known, [fallback(setting)])))
    evaluated = list(results(setting, rule_set, known))
    matches = [match for _, match in evaluated if match]
    choices = choose(setting, matches, due, rule_set.hit_policy)
    sent = _sent(setting, past, known, choices)
    spilled = passed_over(setting, matches, due, sent.rule)
    notes = (*_oddities(setting, rule_set), *spilled, *sent.notes, *_shares(setting, past, known, matches, due))
    return replace(sent, rules=tuple(result for result, _ in evaluated), notes=notes)


def _sent(setting: Setting, past: Past, known: Known, choices: Sequence[Choice]) -> Sent:
    if len(choices) > 1:
        fired = None if any(each.how == "overflow" for each in choices) else False
        rules = {each.name for each in choices}
        notes = _otherwise(setting, past, known, choices)
        return replace(_undecided(notes=notes), fired=fired, rule=rules.pop() if len(rules) == 1 else "")
    choice = choices[0]
    if choice.how == "nothing":
        return Sent("nothing", Settled(None, waits=True, notes=(_NOWHERE,)))
    if choice.target.queue is None:
        told = f"Where it goes cannot be decided: {choice.target.why}."
        return replace(_undecided(notes=(told,)), rule=choice.name)
    settled = _settled(setting, past, known, choice)
    how: ChosenBy = "overflow" if settled.moved else choice.how
    return Sent(how, settled, choice.name, fired=choice.how == "overflow")


_NOWHERE = "No rule matches and the work stream has no fallback queue: nobody is given the conversation."


def _undecided(notes: tuple[str, ...]) -> Sent:
    return Sent("cannot decide", Settled(None, "unknown"), notes=notes)


def _settled(setting: Setting, past: Past, known: Known, choice: Choice) -> Settled:
    queue = choice.target.queue
    if queue is None:
        return Settled(None, "unknown")
    settler = Settler(setting, past, known, ignores_wait=choice.how == "fallback queue")
    if choice.how != "overflow":
        return settler.settle(queue)
    why = f"{choice.why[:1].upper()}{choice.why[1:]}"
    if choice.line is None:
        return Settled(queue, "unknown", notes=(f"{why}; what is done then cannot be told.",))
    return settler.overflown(queue, choice.line, (), why)


def _otherwise(setting: Setting, past: Past, known: Known, choices: Sequence[Choice]) -> tuple[str, ...]:
    """Every way it may go, as far as there is room."""
    told = dict.fromkeys(alternative(each, _settled(setting, past, known, each)) for each in choices[:_MOST_NOTES])
    more = len(choices) - _MOST_NOTES
    return (*told, f"There are {more} more ways it may go.") if more > 0 else tuple(told)


def _shares(setting: Setting, past: Past, known: Known, matches: Sequence[Match], due: Answer) -> Iterator[str]:
    """Where the smaller shares of each percentage split go."""
    for place, match in enumerate(matches):
        for other in match.targets[1:]:
            changed = [*matches]
            changed[place] = replace(match, targets=(other,))
            sent = _sent(setting, past, known, choose(setting, changed, due))
            how = "what happens then cannot be decided" if sent.chosen_by == "cannot decide" else ending(sent.settled)
            end = sent.settled.queue.name if sent.settled.queue else other.name
            on = "" if end == other.name else f" and end in {end}"
            yield f"{other.share} % of rule {match.rule.name} go to {other.name}{on}: {how}."


def _oddities(setting: Setting, rule_set: RuleSet) -> Iterable[str]:
    stream = setting.stream
    if not stream.unified:
        yield "The work stream is set to legacy routing, which no longer runs; its unified rules are followed."
    if not stream.active:
        yield "The work stream is inactive."
    if len(stream.steps("route to queue")) > 1:
        yield f"There are several route-to-queue steps; only {rule_set.name or 'the first'} is followed."
    if rule_set.hit_policy not in {"all", ""}:
        yield f"The rule set has the hit policy {rule_set.hit_policy!r}; what it means for routing is not documented."


def _unfit(setting: Setting, bot: User | None) -> str:
    """Why the work stream's bot may not be given a conversation; "" where it surely is."""
    if bot is None:
        return "the work stream's bot is not among the users that were read"
    if not bot.enabled:
        return f"the work stream's bot {bot.name} is disabled"
    if bot.roles is None:
        return f"the roles of the work stream's bot {bot.name} were not read"
    if not bot.has_agent_role:
        return f"the work stream's bot {bot.name} does not hold the role {AGENT_ROLE}"
    if not setting.stream.push:
        return f"the work stream has the bot {bot.name} and lets people pick their conversations"
    return ""
