"""A run, taken back: what its journal says it replaced is put back, what it made is taken out of use. Pure.

Only what still is as the run left it is touched: a column, a link or a row that somebody changed since stays, and is
named with what depends on it. Rows go by what they hold, not by their version: our own later writes move that too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from d365setup.journal import Recorded, Recording, Sent
from d365setup.model import (
    Action,
    Change,
    Cost,
    Environment,
    Errand,
    FieldChange,
    Note,
    Plan,
    ResourceId,
    Row,
    Stage,
    Write,
)

# What is not deleted: a soft-deleted user would block the next create (web-api page, section 6), and closed
# conversations refer to queues.
RETIRED: Mapping[str, Mapping[str, Any]] = {
    "systemusers": {"isdisabled": True},
    "queues": {"statecode": 1, "statuscode": 2},
}
_ROW = re.compile(r"(?P<set>\w+)\((?P<id>[0-9a-f-]{36})\)", re.IGNORECASE)
_BIND = "@odata.bind"

Now = Mapping[str, Any]  # path -> the row, a list of rows for a relationship, or None where there is nothing
Uses = Callable[[str, Mapping[str, Row | None]], Sequence[str]]  # who uses a row, once these rows are as they will be


@dataclass
class Effect:
    """What a run did to one row, or to one link."""

    path: str
    changes: list[ResourceId]
    wrote: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    made: bool = False
    deleted: bool = False
    number: int = 0

    @property
    def row(self) -> str:
        """The row it is about; of a link, the one whose collection it is in."""
        return self.path.partition("/")[0]

    @property
    def is_link(self) -> bool:
        """Whether two rows were linked, or a link ended."""
        return self.path.endswith("/$ref")

    @property
    def other(self) -> str:
        """Of a link, the row at its other end."""
        return str(self.wrote.get("@odata.id") or self.before.get("@odata.id") or "")


@dataclass(frozen=True)
class Step:
    """One change set of a rollback, and the rows to read behind it: path, and what they must hold (None: gone)."""

    writes: tuple[Write, ...]
    changes: tuple[ResourceId, ...]


@dataclass(frozen=True)
class Undoing:
    """How a run is taken back: the plan for people, the steps in the order they are sent, what must be true then.

    ``people`` are the names of users the plan may speak of, for whoever must not show them.
    """

    plan: Plan
    steps: tuple[Step, ...]
    expected: Mapping[str, Row | None]
    people: tuple[str, ...] = ()
    elsewhere: Errand = field(default_factory=Errand)  # comes first: what was done last

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to take back."""
        return not (self.steps or self.elsewhere.changes)


def effects(recording: Recording) -> list[Effect]:
    """What the run did in the end, in the order it was begun. A link made and ended again is nothing."""
    found: dict[str, Effect] = {}
    for sent in recording.landed:
        for write in sent.writes:
            key = write.link or write.path
            effect = found.setdefault(key, Effect(key, [], number=sent.number))
            effect.changes += [each for each in write.changes if each not in effect.changes]
            _take_in(effect, write)
    return [each for each in found.values() if not (each.made and each.deleted)]


def _take_in(effect: Effect, write: Recorded) -> None:
    if write.method == "DELETE":
        effect.deleted = True
        effect.before |= write.before or {}
        return
    if effect.is_link or write.makes_row:
        effect.made = True
    elif not effect.made:
        effect.before |= {name: value for name, value in (write.before or {}).items() if name not in effect.before}
    effect.wrote |= write.body or {}


def to_read(recording: Recording) -> dict[str, str]:
    """What must be read to take the run back: what `Now` calls it -> the query, below the service root."""
    return dict(_query(each) for each in effects(recording))


def traces(sent: Sent) -> dict[str, str]:
    """What must be read to see whether a change set landed, named as in `Now`."""
    return dict(_query(each) for each in _of(sent))


def has_landed(sent: Sent, now: Now) -> bool | None:
    """Whether the rows hold what a change set wrote; None when some do and some do not."""
    found = {_shows(each, now) for each in _of(sent)}
    return found.pop() if len(found) == 1 else None


def _of(sent: Sent) -> list[Effect]:
    found: dict[str, Effect] = {}
    for write in sent.writes:
        key = write.link or write.path
        _take_in(found.setdefault(key, Effect(key, [])), write)
    return list(found.values())


def _shows(effect: Effect, now: Now) -> bool:
    if effect.is_link:
        there = _among(now.get(effect.path[: effect.path.rindex("(")]), _id_of(effect.path))
        return there is not effect.deleted
    row = now.get(effect.path)
    if row is None or effect.deleted:
        return row is None and effect.deleted
    return all(_holds(row, name, value) for name, value in effect.wrote.items())


def _query(effect: Effect) -> tuple[str, str]:
    if effect.is_link:
        collection = effect.path[: effect.path.rindex("(")]
        return collection, collection
    retired = _retired(effect.path) if effect.made else {}
    return effect.path, f"{effect.path}{_columns({*effect.wrote, *effect.before, *retired})}"


def _columns(names: Iterable[str]) -> str:
    """Plain columns by `$select`; what a lookup refers to by `$expand`: its bare column is missing here and there."""
    plain = sorted(name for name in names if not name.endswith(_BIND))
    bound = sorted(name.removesuffix(_BIND) for name in names if name.endswith(_BIND))
    terms = [f"$select={','.join(plain)}"] if plain else []
    terms += [f"$expand={','.join(bound)}"] if bound else []
    return f"?{'&'.join(terms)}" if terms else ""


def decided(recording: Recording, environment: Environment, now: Now, uses: Uses) -> Undoing:
    """How to take the run back as things stand now; what cannot be taken back is among the plan's warnings."""
    return _Decider(recording, environment, now, uses).undoing()


class _Decider:
    def __init__(self, recording: Recording, environment: Environment, now: Now, uses: Uses) -> None:
        self.recording, self.environment, self.now, self.uses = recording, environment, now, uses
        self.effects = effects(recording)
        self.kept: dict[str, str] = {}  # path of an effect that stays -> why
        self.partly: dict[str, str] = {}  # path of an effect of which some columns stay -> why
        self.done: set[str] = set()  # paths of effects that are taken back already

    def undoing(self) -> Undoing:
        for effect in self.effects:
            self._look(effect)
        self._keep_chains_whole()
        self._keep_what_is_used()
        self._keep_ends_of_kept_links()
        open_ones = [each for each in self.effects if each.path not in self.kept and each.path not in self.done]
        steps = tuple(self._steps(open_ones))
        changes = tuple(self._changes(open_ones))
        warnings = tuple(dict.fromkeys(self._warnings()))
        unchanged = len({str(each) for effect in self.effects for each in effect.changes}) - len(changes)
        plan = Plan(
            self.environment, self.recording.playbook, self.recording.sha256, changes, max(0, unchanged), warnings
        ).with_cost(_cost(steps))
        return Undoing(plan, steps, {path: row for each in open_ones for path, row in self._expected(each)})

    # -- what each effect comes to

    def _look(self, effect: Effect) -> None:
        if effect.is_link:
            is_there = self._is_linked(effect)
            if is_there is not effect.made:
                self.done.add(effect.path)
            return
        row = self.now.get(effect.path)
        if effect.deleted:
            if row is not None:
                self.done.add(effect.path)
            elif not effect.before:
                self.kept[effect.path] = "it was deleted, and the journal does not hold what was in it"
            return
        if row is None:
            self.done.add(effect.path)
            if not effect.made:
                self.kept[effect.path] = "the row is gone"
            return
        wanted = _retired(effect.path) if effect.made else effect.before
        if wanted and all(_holds(row, name, value) for name, value in wanted.items()):
            self.done.add(effect.path)
        elif not wanted and not effect.made:
            self.kept[effect.path] = "the journal does not hold what was in it"
        else:
            self._compare(effect, row)

    def _compare(self, effect: Effect, row: Row) -> None:
        """Of a row that was there before, the columns that nobody touched since are given back."""
        other = [name for name, value in effect.wrote.items() if not _holds(row, name, value)]
        if not effect.made:
            other = [name for name in other if not _holds(row, name, effect.before.get(name))]
        if not other:
            return
        shown = ", ".join(sorted(name.removesuffix(_BIND) for name in other))
        told = f"somebody changed it since ({shown})"
        left = {name: value for name, value in effect.before.items() if name not in other}
        if effect.made or all(_holds(row, name, value) for name, value in left.items()):
            self.kept[effect.path] = told
        else:
            effect.before = left
            self.partly[effect.path] = told

    def _is_linked(self, effect: Effect) -> bool:
        rows = self.now.get(effect.path[: effect.path.rindex("(")])
        return _among(rows, _id_of(effect.path))

    def _keep_chains_whole(self) -> None:
        """Rows made by one change (rule set, configuration, step) go together, or stay together."""
        for effect in self.effects:
            if effect.made and not effect.is_link and effect.path in self.kept:
                for other in self.effects:
                    if other.made and not other.is_link and set(other.changes) & set(effect.changes):
                        self.kept.setdefault(other.path, f"{effect.path} stays, and needs it")

    def _keep_what_is_used(self) -> None:
        after: dict[str, Row | None] = {}
        for effect in self.effects:
            if effect.path not in self.kept:
                after.update(self._expected(effect))
        for effect in self.effects:
            if effect.made and not effect.is_link and effect.path not in self.kept | dict.fromkeys(self.done):
                used = self.uses(effect.path, after)
                if used:
                    self.kept[effect.path] = f"it is in use: {'; '.join(used)}"

    def _keep_ends_of_kept_links(self) -> None:
        """A queue that stays keeps its members: without them its conversations would wait, or be closed."""
        made = {each.path: each for each in self.effects if each.made and not each.is_link}
        for effect in self.effects:
            if effect.is_link and effect.made and effect.row in self.kept and effect.row in made:
                self.kept.setdefault(effect.path, f"{effect.row} stays, and this is part of it")
        for effect in self.effects:
            if effect.is_link and effect.path in self.kept:
                for end in (effect.row, effect.other):
                    if end in made:
                        self.kept.setdefault(end, "it stays linked")
        for effect in self.effects:  # roles of a user who stays
            if effect.is_link and effect.made and effect.row in self.kept and effect.row in made:
                self.kept.setdefault(effect.path, f"{effect.row} stays, and this is part of it")

    # -- what is sent, and what must be true then

    def _steps(self, open_ones: Sequence[Effect]) -> Iterator[Step]:
        for number in sorted({each.number for each in open_ones}, reverse=True):
            own = [each for each in reversed(open_ones) if each.number == number]
            writes = tuple(self._write(each) for each in own)
            yield Step(writes, tuple(dict.fromkeys(change for each in own for change in each.changes)))

    def _write(self, effect: Effect) -> Write:
        changes = tuple(effect.changes)
        if effect.is_link:
            if effect.made:
                return Write(Stage.UNLINKED, "DELETE", effect.path, None, changes, before={"@odata.id": effect.other})
            collection = effect.path[: effect.path.rindex("(")]
            return Write(Stage.LINKS, "POST", f"{collection}/$ref", {"@odata.id": effect.other}, changes)
        if effect.deleted:
            return Write(Stage.THINGS, "PATCH", effect.path, effect.before, changes, {"If-None-Match": "*"})
        row: Row = self.now[effect.path]
        when = {"If-Match": row.get("@odata.etag") or "*"}
        if not effect.made:
            return Write(
                Stage.ROUTES,
                "PATCH",
                effect.path,
                effect.before,
                changes,
                when,
                before=_pick(effect.wrote, effect.before),
            )
        retired = _retired(effect.path)
        if retired:
            opposite = {"isdisabled": False} if "isdisabled" in retired else {"statecode": 0, "statuscode": 1}
            return Write(Stage.REMOVED, "PATCH", effect.path, retired, changes, when, before=opposite)
        return Write(Stage.REMOVED, "DELETE", effect.path, None, changes, when, before=effect.wrote)

    def _expected(self, effect: Effect) -> Iterator[tuple[str, Row | None]]:
        if effect.is_link:
            yield effect.path, ({} if effect.deleted else None)
        elif effect.made:
            yield effect.path, (_retired(effect.path) or None)
        else:
            yield effect.path, effect.before

    def _changes(self, open_ones: Sequence[Effect]) -> Iterator[Change]:
        recorded = {str(each.id): each for each in self.recording.changes}
        rows = {str(change): each.path for each in open_ones for change in each.changes}
        for name, path in reversed(rows.items()):
            change = recorded.get(name)
            if change is None:
                continue
            action = {Action.CREATE: Action.DELETE, Action.DELETE: Action.CREATE}.get(change.action, change.action)
            fields = tuple(FieldChange(each.field, each.after, each.before) for each in change.fields)
            yield Change(action, change.id, None, fields, row_id=_id_of(path))

    def _warnings(self) -> Iterator[Note]:
        for effect in self.effects:
            why = self.kept.get(effect.path) or self.partly.get(effect.path)
            if why:
                yield from (
                    Note("warning", change, f"left as it is: {why} ({effect.path})") for change in effect.changes
                )
        for sent in self.recording.unknown:
            for change in dict.fromkeys(each for write in sent.writes for each in write.changes):
                told = "not taken back: its answer was lost; `d365setup apply` settles the run, then roll back again"
                yield Note("warning", change, told)


def _cost(steps: Sequence[Step]) -> Cost:
    """Each step is a change set, and a look at its rows behind it."""
    writes = sum(len(each.writes) for each in steps)
    return Cost(2 * len(steps), 2 * len(steps), 2 * writes)


def verified(expected: Row | None, row: Any, path: str) -> bool:
    """Whether what was read is what a rollback wanted; for a link, the rows at the other end."""
    if path.endswith("/$ref"):
        return _among(row, _id_of(path)) is (expected is not None)
    if expected is None or row is None:
        return row is None and expected is None
    return all(_holds(row, name, value) for name, value in expected.items())


def _among(rows: Any, row_id: str) -> bool:
    return any(row_id in {str(value).lower() for value in row.values()} for row in rows or ())


def _retired(path: str) -> Mapping[str, Any]:
    found = _ROW.fullmatch(path)
    return RETIRED.get(found["set"], {}) if found else {}


def _pick(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values.get(name) for name in names}


def _holds(row: Row, name: str, value: Any) -> bool:
    """Whether a row holds what was written: line ends alike, ids in any case, lookups by what they refer to."""
    if name.endswith(_BIND):
        other = row.get(name.removesuffix(_BIND))
        if value is None or not isinstance(other, Mapping):
            return value is None and not other
        return _id_of(str(value)) in {str(each).lower() for each in other.values()}
    return bool(_same(row.get(name)) == _same(value))


_GUID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?", re.IGNORECASE)


def _same(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _GUID.fullmatch(value):
        return value.strip("{}").lower()
    return value.replace("\r\n", "\n") or None


def _id_of(text: str) -> str:
    found = _GUID.findall(text)
    return found[-1].lower() if found else ""
