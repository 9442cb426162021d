"""Two contact centers side by side, as text and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from d365setup.comparing.values import Comparison, Difference, NotCompared, Side, Where
from d365setup.report.as_json import plain

Show = Callable[[Any], str]
Paint = Callable[[str, str], str]
Data = dict[str, Any]

_SYMBOLS: dict[Where, str] = {"first": "-", "second": "+", "both": "~"}
_COLORS = {"-": "31", "+": "32", "~": "33"}
_SIDES: dict[Where, str] = {"first": "in the first", "second": "in the second", "both": "in both"}


def comparison_lines(found: Comparison, show: Show, paint: Paint) -> Iterator[str]:
    """A line for each thing that differs, then what nobody can say, then the count."""
    yield f"Compared {_side(found.first, show)}"
    yield f"    with {_side(found.second, show)}"
    kind = ""
    for each in found.differences:
        if each.id.kind != kind:
            kind = each.id.kind
            yield ""
        yield from _difference(each, show, paint)
    if found.not_compared:
        yield ""
        yield "Not compared"
    for gap in found.not_compared:
        yield f"  {show(gap.what)}: {_gap(gap, show)}"
    yield ""
    yield _told(found)


def _side(side: Side, show: Show) -> str:
    about = [show(side.name)]
    about += [f"of {show(side.url)}"] if side.is_snapshot and side.url else []
    about += [f"as it was {show(side.taken_at)}"] if side.taken_at else []
    return f"{show(side.organization or 'an environment without a name')} ({', '.join(about)})"


def _difference(each: Difference, show: Show, paint: Paint) -> Iterator[str]:
    symbol = _SYMBOLS[each.where]
    only = {"first": "  only the first has it", "second": "  only the second has it"}.get(each.where, "")
    yield f"{paint(symbol, _COLORS[symbol])} {show(each.id)}{only}"
    for field in each.fields:
        yield f"    {show(field.field)}: {_value(field.before, show)} → {_value(field.after, show)}"


def _value(value: Any, show: Show) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value == ():
        return "(none)"
    if value == "":
        return '""'
    return show(" | ".join(str(each) for each in value) if isinstance(value, tuple) else value)


def _gap(gap: NotCompared, show: Show) -> str:
    return f"{show(gap.reason)}, {_SIDES[gap.where]}"


def _told(found: Comparison) -> str:
    same = _things(found.same)
    if not found.differences:
        told = "no difference" if not found.not_compared else "no difference in what was read"
        return f"{told}: {same} {'is' if found.same == 1 else 'are'} the same"
    parts = [
        f"{found.count('first')} only in the first",
        f"{found.count('second')} only in the second",
        f"{found.count('both')} different",
    ]
    return f"{', '.join(parts)}; {same} the same"


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def comparison_data(found: Comparison) -> Data:
    """The comparison as JSON-ready values."""
    return {
        "schema": "d365setup/comparison/1",
        "first": _side_data(found.first),
        "second": _side_data(found.second),
        "equal": not found.differences,
        "differences": [_difference_data(each) for each in found.differences],
        "same": found.same,
        "not_compared": [{"what": e.what, "where": e.where, "reason": e.reason} for e in found.not_compared],
        "exit_code": found.exit_code,
    }


def _side_data(side: Side) -> Data:
    return {
        "name": side.name,
        "organization": side.organization,
        "url": side.url,
        "taken_at": side.taken_at,
        "snapshot": side.is_snapshot,
    }


def _difference_data(each: Difference) -> Data:
    return {
        "kind": each.id.kind,
        "key": each.id.key,
        "where": each.where,
        "fields": [{"field": e.field, "first": plain(e.before), "second": plain(e.after)} for e in each.fields],
    }
