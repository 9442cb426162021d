"""What is wrong with an environment, a sign-in or a caller, and what to do next: facts in, findings out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from d365setup.needs import SYSTEM_ADMINISTRATOR, Need, missing

Verdict = Literal["ok", "warning", "error", "unknown"]
SKEW_WARNED, SKEW_REFUSED = 60.0, 300.0  # seconds; Entra refuses assertions and tokens beyond five minutes
SOON = 30 * 86400.0  # seconds before a secret or certificate ends
BASE_SOLUTIONS = ("msdyn_OmnichannelBase", "msdyn_OmnichannelPrime")


@dataclass(frozen=True)
class SignIn:
    """The way that was taken, why, where it leads; and of each other way why it was not taken."""

    title: str
    because: str = ""
    where: str = ""
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Trouble:
    """Why something could not be had: what the other side said, and what to do next."""

    message: str
    next: str = ""


@dataclass(frozen=True)
class Caller:
    """Whom the environment takes us for."""

    user_id: str
    name: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Solution:
    """A solution that is installed."""

    unique_name: str
    name: str
    version: str


@dataclass(frozen=True)
class Bot:
    """What the Health Bot answers: how many ``scenarios`` it has, or the ``trouble`` there is."""

    portal: str
    scenarios: int | None = None
    trouble: Trouble | None = None
    is_asked: bool = True  # False where no secret is known


@dataclass(frozen=True)
class Facts:
    """What could be found out; None where the environment did not tell."""

    url: str
    sign_in: SignIn
    now: float = 0.0
    failure: Trouble | None = None
    signed_in: bool = True  # a token could be had, whatever became of it
    caller: Caller | None = None
    organization: str = ""
    organization_id: str = ""
    version: str = ""
    clock_skew: float | None = None  # ours minus theirs, in seconds
    expiring: str = ""  # what ends: "the certificate", "the access token"
    expires: float | None = None
    lasting: str = ""  # why no end can be told
    solutions: tuple[Solution, ...] | Trouble = ()
    omnichannel_missing: bool = False
    playbook: str = ""
    needs: tuple[Need, ...] = ()
    held: frozenset[str] | Trouble = frozenset()
    no_plan: Trouble | None = None
    gives_roles: bool = False
    bot: Bot | None = None


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    verdict: Verdict
    message: str
    next: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was looked at; `lacking` are the privileges the caller lacks for the playbook."""

    facts: Facts
    checks: tuple[Check, ...] = ()
    lacking: tuple[Need, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """0, or 6 when something stands in the way."""
        return 6 if any(each.verdict == "error" for each in self.checks) else 0


def examined(facts: Facts) -> Diagnosis:
    """Findings in the order a person would look: is it there, who am I, what is it, may I."""
    lacking = () if isinstance(facts.held, Trouble) or _is_administrator(facts) else missing(facts.needs, facts.held)
    return Diagnosis(facts, tuple(_checks(facts, lacking)), lacking)


def _checks(facts: Facts, lacking: tuple[Need, ...]) -> Iterator[Check]:
    if facts.failure:
        name = "environment" if facts.signed_in else "sign-in"
        yield Check(name, "error", facts.failure.message, facts.failure.next)
    else:
        yield Check("environment", "ok", f"{facts.url} is reachable")
        yield _caller(facts)
        yield _organization(facts)
        yield _omnichannel(facts)
    yield from _clock(facts)
    yield _ending(facts)
    if not facts.failure and facts.playbook:
        yield from _privileges(facts, lacking)
    if facts.bot:
        yield _bot(facts.bot)


def _caller(facts: Facts) -> Check:
    caller = facts.caller
    if caller is None:
        return Check("sign-in", "unknown", "the environment does not say whom it takes us for")
    roles = f", roles: {', '.join(caller.roles)}" if caller.roles else ""
    return Check("sign-in", "ok", f"signed in as {caller.name or 'a user without a name'} ({caller.user_id}){roles}")


def _organization(facts: Facts) -> Check:
    if not facts.organization_id:
        return Check("organization", "unknown", "the environment does not tell its organization")
    version = f", version {facts.version}" if facts.version else ""
    return Check("organization", "ok", f"{facts.organization or 'unnamed'} ({facts.organization_id}){version}")


def _omnichannel(facts: Facts) -> Check:
    provision = "provision Omnichannel for Customer Service in the Customer Service admin centre"
    if facts.omnichannel_missing:
        return Check("Omnichannel", "error", "Omnichannel for Customer Service is not installed here", provision)
    if isinstance(facts.solutions, Trouble):
        told = f"which solutions are installed cannot be read: {facts.solutions.message}"
        return Check("Omnichannel", "unknown", told, facts.solutions.next)
    if not any(each.unique_name in BASE_SOLUTIONS for each in facts.solutions):
        told = "its tables are there, but no Omnichannel base solution is listed"
        return Check("Omnichannel", "warning", told, f"if routing does not work, {provision}")
    shown = ", ".join(f"{each.unique_name} {each.version}" for each in facts.solutions)
    return Check("Omnichannel", "ok", f"{len(facts.solutions)} solutions are installed: {shown}")


def _clock(facts: Facts) -> Iterator[Check]:
    if facts.clock_skew is None:
        return
    seconds, way = abs(facts.clock_skew), "ahead of" if facts.clock_skew > 0 else "behind"
    told = f"this machine's clock is {seconds:.0f} s {way} the environment's"
    if seconds > SKEW_REFUSED:
        yield Check("clock", "error", told, "set the clock; beyond five minutes sign-ins are refused")
    elif seconds > SKEW_WARNED:
        yield Check("clock", "warning", told, "set the clock")
    else:
        yield Check("clock", "ok", "this machine's clock agrees with the environment's")


def _ending(facts: Facts) -> Check:
    if facts.expires is None:
        return Check("expiry", "unknown", facts.lasting or "nothing that ends is known")
    day = datetime.fromtimestamp(facts.expires, UTC)
    told = f"{facts.expiring} ends on {day:%Y-%m-%d %H:%M} UTC"
    left = facts.expires - facts.now
    if left <= 0:
        return Check("expiry", "error", f"{facts.expiring} ended on {day:%Y-%m-%d %H:%M} UTC", "make a new one")
    is_token = facts.expiring == "the access token"  # lives for an hour by nature
    if left < (600 if is_token else SOON):
        return Check("expiry", "warning", told, "make a new one before then")
    return Check("expiry", "ok", told)


def _privileges(facts: Facts, lacking: tuple[Need, ...]) -> Iterator[Check]:
    if facts.no_plan:
        told = f"there is no plan for {facts.playbook}, so only what reading needs is judged: {facts.no_plan.message}"
        yield Check("plan", "warning", told, facts.no_plan.next)
    if _is_administrator(facts):
        yield Check("privileges", "ok", f"the caller is {SYSTEM_ADMINISTRATOR} and may do everything")
    elif isinstance(facts.held, Trouble):
        told = f"which privileges the caller holds cannot be read: {facts.held.message}"
        yield Check("privileges", "unknown", told, facts.held.next)
    elif lacking:
        for need in lacking:
            why = f" for {', '.join(need.things)}" if need.things else " to read what is there"
            told = f"{need.privilege} is missing; it is needed{why}"
            yield Check("privileges", "error", told, f"give the caller the role {need.role}, which carries it")
    else:
        yield Check(
            "privileges", "ok", f"the caller holds all {len(facts.needs)} privileges that {facts.playbook} needs"
        )
    if facts.gives_roles and not _is_administrator(facts) and not isinstance(facts.held, Trouble):
        told = "the plan gives a role to a user, and nobody can give away a role that holds more than their own"
        yield Check("roles", "warning", told, f"if that is refused, sign in as {SYSTEM_ADMINISTRATOR}")


def _bot(bot: Bot) -> Check:
    if bot.trouble is None:
        count = "1 scenario" if bot.scenarios == 1 else f"{bot.scenarios} scenarios"
        return Check("Health Bot", "ok", f"{bot.portal} answers, takes the secret, and shows its {count}")
    if bot.is_asked:
        return Check("Health Bot", "error", bot.trouble.message, bot.trouble.next)
    return Check("Health Bot", "unknown", f"{bot.portal} is not checked: {bot.trouble.message}", bot.trouble.next)


def _is_administrator(facts: Facts) -> bool:
    return facts.caller is not None and SYSTEM_ADMINISTRATOR in facts.caller.roles
