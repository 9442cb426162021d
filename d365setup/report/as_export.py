"""What became of an export, as text and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from d365setup.model import ResourceId
from d365setup.report.documents import Exported

Show = Callable[[Any], str]
Paint = Callable[[str, str], str]
Data = dict[str, Any]

_KINDS = {
    "bot_user": "bot",
    "queue": "queue",
    "queue_member": "member",
    "workstream": "work stream",
    "context_variable": "variable",
    "routing_rule": "rule",
}
_DIM = "2"
_NAMED = 6  # things named that a playbook does not have
_MOST = 30  # lines about what stays untouched; JSON and HTML have all of them


def export_lines(found: Exported, show: Show, paint: Paint) -> Iterator[str]:
    """What it is, that it is proved, what stays untouched, and the variables."""
    yield _head(found, show)
    are = "is" if found.unchanged == 1 else "are"
    yield f"proved: its plan on this environment is empty; {_counted(found.unchanged, 'thing')} {are} as it says"
    yield from (f"not read: {show(each)}" for each in found.unread)
    if found.untouched:
        comments = ", with a comment at its place" if found.result in ("printed", "written") else ""
        yield f"left as it is{comments}:"
    for each in found.untouched[:_MOST]:
        yield f"  {paint(show(each.id), _DIM)}: {show(each.message)}"
    if len(found.untouched) > _MOST:
        yield f"  and {len(found.untouched) - _MOST} more; --report FILE.json lists them all"
    if found.not_declared:
        told = _beside(found.not_declared, show)
        yield f"not in this playbook: {told}; export --queue, --workstream or --bot writes it"
    if found.variables:
        yield "its variables on this environment, for .env:"
    for name, value in found.variables.items():
        yield f"  {show(name.upper())}={show(value)}"


def _head(found: Exported, show: Show) -> str:
    where = f" of {show(found.environment.name or found.environment.url)}"
    if found.result == "in line already":
        return f"{show(found.file)} says what is there: nothing to update"
    if found.result == "updated":
        return f"updated {show(found.file)}: {_things(found)}{where}"
    return f"exported {_things(found)}{where}" + (f" to {show(found.file)}" if found.file else "")


def _things(found: Exported) -> str:
    kinds = [each.id.kind for each in found.things]
    told = [_counted(kinds.count(kind), what) for kind, what in _KINDS.items()]
    return ", ".join(told)


def _beside(names: Sequence[ResourceId], show: Show) -> str:
    told = ", ".join(f"{_KINDS[each.kind]} {show(each.key)}" for each in names[:_NAMED])
    return f"{told} and {len(names) - _NAMED} more" if len(names) > _NAMED else told


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def export_data(found: Exported) -> Data:
    """The published shape, `d365setup/export/1`."""
    where = found.environment
    return {
        "schema": "d365setup/export/1",
        "environment": {"url": where.url, "organization_id": where.organization_id, "name": where.name},
        "taken_at": found.taken_at,
        "part": {kind: list(names) for kind, names in found.part.items()},
        "playbook": {"name": found.playbook, "sha256": found.sha256, "file": found.file or None},
        "result": found.result,
        "proof": {"changes": 0, "unchanged": found.unchanged},
        "things": [{"kind": e.id.kind, "key": e.id.key, "only_refers": e.only_refers} for e in found.things],
        "untouched": [
            {"kind": e.id.kind, "key": e.id.key, "state": e.state, "message": e.message} for e in found.untouched
        ],
        "not_read": list(found.unread),
        "not_declared": [{"kind": e.kind, "key": e.key} for e in found.not_declared],
        "variables": dict(found.variables),
        "exit_code": found.exit_code,
    }
