"""How checks are written, found and run. A check is a pure function from what was seen to findings.

    @check("R12")
    def fallback(seen: Seen) -> Iterator[Finding | Unchecked]: ...

in any module of `audit/checks/`. It is found by its place; its title, level, consequence, cure and source come from
its page (`pages/R12.md`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from d365setup.audit.findings import LEVELS, Audit, Finding, Level, Subject, Unchecked
from d365setup.center import ContactCenter, Queue, RuleSet, User, Workstream
from d365setup.model import NOWHERE, join_key
from d365setup.pages import page
from d365setup.ruleset import Rule

if TYPE_CHECKING:  # reports import this package, and most commands load no playbook
    from d365setup.playbook import Playbook


@dataclass(frozen=True)
class Seen:
    """What a check may look at. ``playbook`` is None where an environment is audited as it is."""

    center: ContactCenter
    now: datetime
    playbook: Playbook | None = None

    @property
    def workstreams(self) -> tuple[Workstream, ...]:
        """The work streams in use: an inactive one gets no conversation."""
        return tuple(each for each in self.center.workstreams if each.active)


Result: TypeAlias = Finding | Unchecked
Check: TypeAlias = Callable[[Seen], Iterator[Result]]


@dataclass(frozen=True)
class Registered:
    """A check and the id it answers for."""

    id: str
    check: Check


_registered: dict[str, Registered] = {}


def check(finding_id: str) -> Callable[[Check], Check]:
    """Register a check for one id. Raises ValueError where the id has one already."""

    def register(function: Check) -> Check:
        if finding_id in _registered:
            raise ValueError(f"two checks for {finding_id}")
        _registered[finding_id] = Registered(finding_id, function)
        return function

    return register


@cache
def checks() -> tuple[Registered, ...]:
    """Every check there is, by id."""
    package = importlib.import_module("d365setup.audit.checks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"d365setup.audit.checks.{module.name}")
    return tuple(_registered[each] for each in sorted(_registered))


def audit(seen: Seen, *, only: Iterable[str] = ()) -> Audit:
    """Run every check, or only some."""
    wanted = frozenset(only)
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    passed: list[str] = []
    for each in checks():
        if wanted and each.id not in wanted:
            continue
        results = list(each.check(seen))
        findings += (result for result in results if isinstance(result, Finding))
        unchecked += (result for result in results if isinstance(result, Unchecked))
        if not results:
            passed.append(each.id)
    ordered = sorted(findings, key=lambda each: (LEVELS.index(each.level), each.id, str(each.subject), each.message))
    name, sha256 = (seen.playbook.name, seen.playbook.sha256) if seen.playbook else ("", "")
    return Audit(seen.center, tuple(ordered), tuple(unchecked), tuple(passed), playbook=name, sha256=sha256)


def finding(
    finding_id: str,
    subject: Subject,
    message: str,
    *,
    level: Level | None = None,
    consequence: str = "",
    cure: str = "",
    **evidence: object,
) -> Finding:
    """A finding in the words of its page, where none are given. ``evidence`` are the values seen, by name."""
    told = page(finding_id)
    shown = tuple((name.replace("_", " "), str(value)) for name, value in evidence.items())
    found = LEVELS[LEVELS.index(level or told.level)]
    happens, cured = consequence or told.section("What happens"), cure or told.section("Cure")
    return Finding(finding_id, found, subject, message, shown, happens, cured, told.source)


def about_queue(queue: Queue) -> Subject:
    """A queue as a subject."""
    return Subject("queue", queue.name, queue.row_id, "queue", queue.source)


def about_user(user: User) -> Subject:
    """A bot or a person as a subject."""
    kind = "bot_user" if user.is_bot else "user"
    return Subject(kind, user.name, user.row_id, "systemuser", user.source)


def about_workstream(stream: Workstream) -> Subject:
    """A work stream as a subject."""
    return Subject("workstream", stream.name, stream.row_id, "msdyn_liveworkstream", stream.source)


def about_rule(stream: Workstream, rule_set: RuleSet, rule: Rule) -> Subject:
    """A rule as a subject; a browser shows the rule set it stands in."""
    kind = "routing_rule" if rule_set is stream.routes else "classification_rule"
    source = rule_set.sources.get(rule.id, NOWHERE)
    return Subject(kind, join_key(stream.name, rule.name), rule_set.row_id, "msdyn_decisionruleset", source)


def about_variable(stream: Workstream, name: str) -> Subject:
    """A context variable as a subject, declared or not."""
    known = stream.variable(name)
    row_id, source = (known.row_id, known.source) if known else ("", stream.source)
    table = "msdyn_ocliveworkstreamcontextvariable"
    return Subject("context_variable", join_key(stream.name, name), row_id, table, source)
