"""How checks of the bot's side are written, found and run: as those of an environment are (`audit.checking`).

    @check("H03")
    def nothing_follows(seen: Seen) -> Iterator[Result]: ...

in any module of `healthbot/checks/`. An id that an environment's audit has too is the same finding seen from the other
side. What the source at hand cannot tell is `Unchecked`, never passed.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeAlias

from d365setup.audit import LEVELS, Audit
from d365setup.audit.checking import Result
from d365setup.audit.findings import Finding, Subject, Unchecked
from d365setup.center import ContactCenter, Workstream
from d365setup.healthbot.collected import Collected, Found
from d365setup.healthbot.sending import Sent, sent
from d365setup.healthbot.walking import Walk
from d365setup.kinds.workstream import Workstream as WorkstreamSpec
from d365setup.model import NOWHERE, Source
from d365setup.playbook import Playbook


@dataclass(frozen=True)
class Seen:
    """What a check may look at; ``center`` is what the playbook intends."""

    playbook: Playbook
    center: ContactCenter
    bot: Collected

    @cached_property
    def sent(self) -> tuple[Sent, ...]:
        """Every call by which a scenario hands over or ends, in the order of the scenarios."""
        return tuple(each for found in self.bot.scenarios for each in sent(found))

    @cached_property
    def triggers_handing_over(self) -> frozenset[str]:
        """The triggers of scenarios that hand over or end."""
        return frozenset(each.found.scenario.trigger for each in self.sent)

    @cached_property
    def walk(self) -> Walk:
        """The ways through the scenarios."""
        return Walk({each.scenario.trigger: each.scenario for each in self.bot.scenarios})

    @property
    def streams(self) -> tuple[Workstream, ...]:
        """The work streams that the playbook declares."""
        declared = {spec.name for spec in self.playbook.desired.of(WorkstreamSpec)}
        return tuple(each for each in self.center.workstreams if each.name in declared)


Check: TypeAlias = Callable[[Seen], Iterator[Result]]
_registered: dict[str, Check] = {}


def check(finding_id: str) -> Callable[[Check], Check]:
    """Register a check for one id. Raises ValueError where the id has one already."""

    def register(function: Check) -> Check:
        if finding_id in _registered:
            raise ValueError(f"two checks for {finding_id}")
        _registered[finding_id] = function
        return function

    return register


@cache
def checks() -> tuple[tuple[str, Check], ...]:
    """Every check there is, by id."""
    package = importlib.import_module("d365setup.healthbot.checks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"d365setup.healthbot.checks.{module.name}")
    return tuple(sorted(_registered.items()))


def checked(seen: Seen, *, only: Iterable[str] = ()) -> Audit:
    """Run every check, or only some."""
    wanted = frozenset(only)
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    passed: list[str] = []
    for code, function in checks():
        results = list(function(seen)) if not wanted or code in wanted else None
        findings += (each for each in results or () if isinstance(each, Finding))
        unchecked += dict.fromkeys(each for each in results or () if isinstance(each, Unchecked))
        passed += [code] if results == [] else []
    ordered = sorted(findings, key=lambda each: (LEVELS.index(each.level), each.id, str(each.subject), each.message))
    against = f"{seen.bot.name} ({_ORIGINS[seen.bot.origin]})"
    name, sha256 = seen.playbook.name, seen.playbook.sha256
    return Audit(
        seen.center, tuple(ordered), tuple(unchecked), tuple(passed), playbook=name, sha256=sha256, against=against
    )


_ORIGINS = {"backup": "a backup", "scenarios": "scenarios in a folder", "live": "the bot itself, read now"}


def about_scenario(found: Found, source: Source = NOWHERE) -> Subject:
    """A scenario as a subject, at its own place unless a better one is known."""
    return Subject("scenario", found.scenario.name, source=source if source.line else found.place())


def about_call(each: Sent, otherwise: Source = NOWHERE) -> Subject:
    """The scenario of a call, at the step that makes it; where that is in no file, at ``otherwise``."""
    place = each.place
    return Subject("scenario", each.found.scenario.name, source=place if place.line else otherwise)


def about_bot(seen: Seen) -> Subject:
    """The bot as a subject."""
    bot = seen.playbook.health_bot
    if bot is None:
        return Subject("health_bot", seen.playbook.name)
    return Subject("health_bot", bot.tenant, source=bot.source)


def unreadable(code: str, seen: Seen) -> Iterator[Unchecked]:
    """What cannot be judged because a script is not understood, once for each call."""
    for each in seen.sent:
        if each.call.problem:
            yield Unchecked(code, f"cannot decide: {each.step_name}: {each.call.problem}", about_call(each))


def needs_backup(code: str, seen: Seen) -> Iterator[Unchecked]:
    """That only a backup tells, where there is none."""
    if seen.bot.backup is None:
        yield Unchecked(code, "only a backup tells: give one with --backup, or look at the bot itself with --live")
