"""Desired and live, compared: the plan. Pure; what cannot be resolved is reported all at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from d365setup.errors import Refused, Unresolvable
from d365setup.model import Action, Change, Desired, LiveState, Named, Note, Plan, ResourceId, Spec, Write, fold
from d365setup.scope import Ids, Prune, Scope

MOST_REMOVALS = 10  # more at once need consent that names kind and number
MOST_SHARE = 30  # percent of a kind, where there are this many:
FEW = 10
MOST_USER_CHANGES = 500  # in a quarter of an hour (Omnichannel's page on users and user profiles)


class Differ(Protocol):
    """What planning needs of a kind."""

    kind: ClassVar[str]
    changes_users: ClassVar[bool]
    fate: ClassVar[str]
    unmarked: ClassVar[str]

    def resolve(self, desired: Any, scope: Scope, /) -> Iterator[Any]:
        """Settle what only the environment can tell: the settled spec, or notes, or both."""

    def removals(self, scope: Scope, /) -> Iterator[Any]:
        """Live things that the playbook asks by name to be taken away."""

    def strays(self, scope: Scope, /) -> Iterator[Any]:
        """Live things that this playbook made and no longer declares, or notes that say why they stay."""

    def diff(self, desired: Any, live: Any, /) -> Change | None:
        """What must change; None when all is as it should be."""

    def writes(self, changes: Sequence[Change], scope: Scope, /) -> Iterator[Write]:
        """The writes that carry out these changes, all of this kind."""


@dataclass(frozen=True)
class Decision:
    """A plan, and what applying it needs beside it: the scope it was made in, and the writes that carry it out."""

    plan: Plan
    scope: Scope
    writes: tuple[Write, ...] = ()

    def about(self, kinds: Container[str]) -> Decision:
        """The part of it that is about these kinds."""
        changes = tuple(change for change in self.plan.changes if change.id.kind in kinds)
        writes = tuple(write for write in self.writes if all(each.kind in kinds for each in write.changes))
        return replace(self, plan=replace(self.plan, changes=changes), writes=writes)


def decide(
    name: str,
    sha256: str,
    desired: Desired,
    live: LiveState,
    kinds: Mapping[str, Differ],
    *,
    prune: Prune | None = None,
) -> Decision:
    """What must change to bring the environment to what the playbook says. Raises Unresolvable with every reason.

    ``prune`` also takes away what the playbook made and no longer declares, or all of it.
    """
    scope = Scope(desired, live, Ids(live.environment.organization_id, name, live), prune=prune)
    notes: list[Note] = []
    changes: list[Change] = []
    if prune is None or not prune.everything:
        scope, notes = _resolved(scope, kinds)
        notes += _lookalikes(scope)
        changes += _changes(scope, kinds)
    if prune is not None:
        scope, gone, told = _pruned(scope, changes, kinds)
        changes += gone
        notes += told
    notes += (*_managed(changes, scope), *_too_fast(name, changes, kinds))
    errors = [note for note in notes if note.severity == "error"]
    if errors:
        raise Unresolvable(sorted(errors, key=_place))
    warnings = tuple(sorted((note for note in notes if note.severity == "warning"), key=_place))
    written = {change.id for change in changes}
    unchanged = sum(1 for spec in scope.resolved.specs if spec.id not in written)
    plan = Plan(live.environment, name, sha256, tuple(changes), unchanged, warnings)
    return Decision(plan, scope, tuple(writes_of(changes, kinds, scope)))


def writes_of(changes: Sequence[Change], kinds: Mapping[str, Differ], scope: Scope) -> Iterator[Write]:
    """The writes that carry out these changes, in the order of the kinds."""
    for kind in kinds.values():
        own = [change for change in changes if change.id.kind == kind.kind]
        if own:
            yield from kind.writes(own, scope)


def check_limits(plan: Plan, allowed: Mapping[str, int], live: LiveState | None = None) -> None:
    """Refuse a plan that takes away more than anybody asked for. Raises Refused, naming the option that allows it.

    ``allowed`` has numbers by kind; ``live`` is what was read, to tell which share of it would go.
    """
    told = [told for kind, count, told in excess(plan, live) if allowed.get(kind, 0) < count]
    options = [f"--allow-delete {kind}:{n}" for kind, n, _ in excess(plan, live) if allowed.get(kind, 0) < n]
    if told:
        raise Refused(f"this plan takes away {', '.join(told)}; if that is meant, add {' '.join(options)}")


def excess(plan: Plan, live: LiveState | None = None) -> Iterator[tuple[str, int, str]]:
    """Each kind of which a plan takes away more than goes without consent: how many, and that in words."""
    gone = (change for change in plan.changes if change.action is Action.DELETE and not change.manual)
    removals = Counter(change.id.kind for change in gone)
    for kind, count in removals.items():
        there = len({each.spec.identity for each in live.lives if each.spec.kind == kind}) if live else 0
        if count > MOST_REMOVALS:
            yield kind, count, f"{count} of {kind}, more than {MOST_REMOVALS}"
        elif there >= FEW and 100 * count >= MOST_SHARE * there:
            yield kind, count, f"{count} of {kind}, of which there are {there}: {MOST_SHARE} % or more"


def _resolved(scope: Scope, kinds: Mapping[str, Differ]) -> tuple[Scope, list[Note]]:
    """Kind by kind: what one kind settles, those after it can see."""
    notes: list[Note] = []
    for kind in kinds.values():
        own = (spec for spec in scope.desired.specs if spec.kind == kind.kind)
        outcomes = [outcome for spec in own for outcome in kind.resolve(spec, scope)]
        notes += (each for each in outcomes if isinstance(each, Note))
        settled = (each for each in outcomes if not isinstance(each, Note))
        scope = replace(scope, resolved=Desired((*scope.resolved.specs, *settled)))
    return scope, notes


def _changes(scope: Scope, kinds: Mapping[str, Differ]) -> Iterator[Change]:
    for kind in kinds.values():
        for spec in scope.resolved.specs:
            if spec.kind == kind.kind:
                yield from _one(kind.diff(spec, scope.live.find(spec.kind, spec.identity)))
        for live in kind.removals(scope):
            yield from _one(kind.diff(None, live))


def _pruned(
    scope: Scope, changes: Sequence[Change], kinds: Mapping[str, Differ]
) -> tuple[Scope, list[Change], list[Note]]:
    """What goes, links and routes before the things they lead to, and what stays though nobody declares it."""
    prune, desired = scope.prune or Prune(), scope.desired
    why = "this playbook made it" + ("" if prune.everything else " and no longer declares it")
    if prune.everything:
        scope = replace(scope, desired=Desired(tuple(spec for spec in desired.specs if spec.only_refers)))
    taken = {change.id for change in changes} | {spec.id for spec in scope.resolved.specs}
    gone: list[Change] = []
    told: list[Note] = []
    for kind in reversed(tuple(kinds.values())):
        strays = list(kind.strays(scope))
        told += (each for each in strays if isinstance(each, Note))
        lives = (each for each in strays if not isinstance(each, Note))
        for change in (change for live in lives for change in _one(kind.diff(None, live))):
            if change.id in taken:
                told.append(_namesake(change))
            else:
                taken.add(change.id)
                gone.append(replace(change, reason=f"{why}; {kind.fate}" if kind.fate else why))
    if prune.everything:
        told += _left(desired, scope, gone, told, kinds)
    return replace(scope, prune=replace(prune, going=frozenset(change.id for change in gone))), gone, told


def _namesake(change: Change) -> Note:
    message = (
        f"this playbook made it ({change.row_id}), and it stays: this plan has another thing of the same name; plan "
        "again once that is done, or rename one of them"
    )
    return Note("warning", change.id, message)


def _left(
    desired: Desired, scope: Scope, gone: Sequence[Change], told: Sequence[Note], kinds: Mapping[str, Differ]
) -> Iterator[Note]:
    """What a playbook declares that is not taken away with everything else, because the playbook did not make it."""
    handled = {change.id for change in gone} | {note.id for note in told}
    by_name = {live.spec.id: live for live in reversed(scope.live.lives)}
    for spec in desired.specs:
        live = scope.live.find(spec.kind, spec.identity) or by_name.get(spec.id)
        if live is None or live.spec.id in handled:
            continue
        if spec.only_refers:
            yield _note("warning", spec, "stays: the playbook only refers to it (existing: true)")
        elif live.row_id != scope.ids.made(spec.kind, live.spec.identity):  # ours that are not handled are out of use
            yield _note("warning", spec, f"stays: {kinds[spec.kind].unmarked}")


def _too_fast(name: str, changes: Sequence[Change], kinds: Mapping[str, Differ]) -> Iterator[Note]:
    """More changes of users, their roles and queues than the platform takes at once."""
    count = sum(1 for change in changes if kinds[change.id.kind].changes_users and not change.manual)
    if count > MOST_USER_CHANGES:
        message = (
            f"the plan changes users, their roles and their queues {count} times, and the platform takes "
            f"{MOST_USER_CHANGES} such changes in 15 minutes; apply it in parts: take queues with at least "
            f"{count - MOST_USER_CHANGES} of these members out of the playbook, apply, wait 15 minutes, put them back, "
            "and apply again"
        )
        yield Note("error", ResourceId("playbook", name), message, refused=True)


def _one(change: Change | None) -> Iterator[Change]:
    if change is not None:
        yield change


def _lookalikes(scope: Scope) -> Iterator[Note]:
    """Twins, and names that differ in nothing a person would see: the failure no other tool reports."""
    by_fold: dict[tuple[str, str], dict[str, Named]] = {}
    for named in scope.live.known(Named):
        by_fold.setdefault((named.kind, fold(named.identity)), {})[named.row_id] = named
    for spec in scope.desired.specs:
        rows = list(by_fold.get((spec.kind, fold(spec.identity)), {}).values())
        same = [row for row in rows if row.identity == spec.identity]
        near = [row for row in rows if row.identity != spec.identity]
        if len(same) > 1:
            yield _note("error", spec, f"{len(same)} things bear this name ({_ids(same)}); rename all but one")
        if near:
            yield _near(spec, near, exact=bool(same))


def _near(spec: Spec, near: list[Named], *, exact: bool) -> Note:
    shown = ", ".join(f"{row.shown!r} ({row.row_id})" for row in near)
    if exact:
        return _note(
            "warning", spec, f"easily confused with {shown}, which differs only by case, blanks or Unicode form"
        )
    return _note(
        "error",
        spec,
        f"the environment has {shown}, which differs from {spec.key!r} only by case, blanks or Unicode form; "
        "write the same name here, or rename it there",
    )


def _managed(changes: Sequence[Change], scope: Scope) -> Iterator[Note]:
    for change in changes:
        live = scope.live.find(change.id.kind, change.desired.identity) if change.desired else None
        if live is not None and live.managed and change.action is Action.UPDATE:
            message = f"the row ({live.row_id}) is managed by a solution: change it there, or leave the field out"
            yield Note("error", change.id, message, change.source, refused=True)


def _note(severity: Any, spec: Spec, message: str) -> Note:
    return Note(severity, spec.id, message, spec.source)


def _ids(rows: list[Named]) -> str:
    return " and ".join(sorted(row.row_id for row in rows))


def _place(note: Note) -> tuple[str, int, int, str]:
    return (note.source.file, note.source.line, note.source.column, str(note.id))
