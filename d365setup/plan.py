"""Desired and live, compared: the plan. Pure; what cannot be resolved is reported all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from d365setup.errors import Refused, Unresolvable
from d365setup.model import (
    Action,
    Change,
    Desired,
    Ids,
    LiveState,
    Named,
    Note,
    Plan,
    Scope,
    Spec,
    Write,
    fold,
)

MOST_REMOVALS = 10  # more at once need consent that names kind and number


class Differ(Protocol):
    """What planning needs of a kind."""

    kind: ClassVar[str]

    def resolve(self, desired: Any, scope: Scope, /) -> Iterator[Any]:
        """Settle what only the environment can tell: the settled spec, or notes, or both."""

    def removals(self, scope: Scope, /) -> Iterator[Any]:
        """Live things that the playbook asks by name to be taken away."""

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


def decide(name: str, sha256: str, desired: Desired, live: LiveState, kinds: Mapping[str, Differ]) -> Decision:
    """What must change to bring the environment to what the playbook says. Raises Unresolvable with every reason."""
    scope, notes = _resolved(Scope(desired, live, Ids(live.environment.organization_id, name, live)), kinds)
    notes += list(_lookalikes(scope))
    changes = tuple(_changes(scope, kinds))
    notes += list(_managed(changes, scope))
    errors = [note for note in notes if note.severity == "error"]
    if errors:
        raise Unresolvable(sorted(errors, key=_place))
    warnings = tuple(sorted((note for note in notes if note.severity == "warning"), key=_place))
    written = {change.id for change in changes}
    unchanged = sum(1 for spec in scope.resolved.specs if spec.id not in written)
    plan = Plan(live.environment, name, sha256, changes, unchanged, warnings)
    return Decision(plan, scope, tuple(writes_of(changes, kinds, scope)))


def writes_of(changes: Sequence[Change], kinds: Mapping[str, Differ], scope: Scope) -> Iterator[Write]:
    """The writes that carry out these changes, in the order of the kinds."""
    for kind in kinds.values():
        own = [change for change in changes if change.id.kind == kind.kind]
        if own:
            yield from kind.writes(own, scope)


def check_limits(plan: Plan, allowed: Mapping[str, int]) -> None:
    """Refuse a plan that takes away more than anybody asked for. Raises Refused, naming the option that allows it."""
    removals: dict[str, int] = {}
    for change in plan.changes:
        if change.action is Action.DELETE:
            removals[change.id.kind] = removals.get(change.id.kind, 0) + 1
    too_many = {kind: count for kind, count in removals.items() if count > max(MOST_REMOVALS, allowed.get(kind, 0))}
    if too_many:
        told = ", ".join(f"{count} of {kind}" for kind, count in too_many.items())
        options = " ".join(f"--allow-delete {kind}:{count}" for kind, count in too_many.items())
        raise Refused(f"this plan takes away {told}, more than {MOST_REMOVALS}; if that is meant, add {options}")


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


def _managed(changes: tuple[Change, ...], scope: Scope) -> Iterator[Note]:
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
