"""A fleet's run, as text and JSON: each environment's end, and the matrix of things and environments."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from d365setup.fleet.results import BROKEN, GOOD, LEFT_OUT, Cell, FleetRun, Result
from d365setup.report.shortened import NAME, shortened

Data = dict[str, Any]
Show = Callable[[Any], str]
Paint = Callable[[str, str], str]

SYMBOLS: dict[Cell, str] = {"same": "=", "changed": "~", "missing": "+", "waived": "w", "failed": "x", "": "."}
_COLORS: dict[Cell, str] = {"same": "2", "changed": "33", "missing": "32", "waived": "2", "failed": "31", "": "2"}
_LEGEND = "= same  ~ changed  + missing  w waived  x failed  . not there or not known"
_ACROSS = 25  # environments side by side
_MANY = 50  # good environments that are listed one by one
_FOLDED = 4  # so many that ended alike, with nothing known of them, are told together
_NAMED = 12  # environments named there
Numbered = tuple[int, Result]


def fleet_data(fleet: FleetRun) -> Data:
    """The published shape (`schemas/fleet-run.json`)."""
    return {
        "schema": "d365setup/fleet-run/1",
        "command": fleet.command,
        "fleet": fleet.file,
        "run": fleet.run or None,
        "stopped": fleet.stopped or None,
        "counts": {str(state): count for state, count in fleet.counts.items()},
        "environments": [_environment(each) for each in fleet.results],
        "matrix": [{"resource": thing, "cells": list(cells)} for thing, cells in fleet.matrix],
        "exit_code": fleet.exit_code,
    }


def _environment(result: Result) -> Data:
    return {
        "name": result.environment,
        "url": result.url,
        "wave": result.wave,
        "state": result.state,
        "exit_code": result.exit_code,
        "message": result.message,
        "cure": result.cure,
        "seconds": result.seconds,
        "earlier": result.earlier,
    }


def fleet_lines(fleet: FleetRun, show: Show, paint: Paint) -> Iterator[str]:
    """The environments, numbered; the matrix with those numbers; what it amounts to, and what comes next."""
    run = f", run {show(fleet.run)}" if fleet.run else ""
    yield f"Fleet {show(fleet.file)}: {fleet.command}{run}"
    yield ""
    yield from _environments(fleet, show, paint)
    yield from _matrix(fleet, show, paint)
    yield ""
    yield counted(fleet)
    yield from _next(fleet, show)


def counted(fleet: FleetRun) -> str:
    """How many ended how."""
    return ", ".join(f"{count} {state}" for state, count in fleet.counts.items()) or "no environments"


def _environments(fleet: FleetRun, show: Show, paint: Paint) -> Iterator[str]:
    numbered = list(enumerate(fleet.results, 1))
    good = [number for number, each in numbered if each.state in GOOD]
    left_out = set(good[_MANY:])
    width = max((len(shortened(show(each.environment), NAME)) for each in fleet.results), default=0)
    for group in _groups([each for each in numbered if each[0] not in left_out]):
        if len(group) > 1:
            yield from _fold(group, show, paint)
            continue
        number, each = group[0]
        name = f"{number:>4}  {shortened(show(each.environment), NAME):<{width}}"
        yield f"{name}  {paint(f'{each.state:<11}', _color(each))}  {_aside(each, show)}".rstrip()
        yield from _why(each, show)
    if left_out:
        yield f"      and {len(left_out)} more that are {fleet.results[good[-1] - 1].state}"


def _groups(numbered: Sequence[Numbered]) -> Iterable[list[Numbered]]:
    """Those of which nothing is known, for one reason, at the place of the first; each of the others by itself."""
    groups: dict[object, list[Numbered]] = {}
    for number, each in numbered:
        why = (each.state, each.wave, each.message, each.cure) if _is_blank(each) else number
        groups.setdefault(why, []).append((number, each))
    folded = [group for group in groups.values() if len(group) >= _FOLDED]
    alone = [[each] for group in groups.values() if len(group) < _FOLDED for each in group]
    return sorted((*folded, *alone), key=lambda group: group[0][0])


def _fold(group: Sequence[Numbered], show: Show, paint: Paint) -> Iterator[str]:
    one = group[0][1]
    names = ", ".join(shortened(show(each.environment), NAME) for _, each in group[:_NAMED])
    more = f" and {len(group) - _NAMED} more; a --report names all of them" if len(group) > _NAMED else ""
    yield f"      {paint(f'{len(group)} {one.state}', _color(one))}{f'  wave {show(one.wave)}' if one.wave else ''}"
    yield f"      {names}{more}"
    yield from _why(one, show)


def _color(result: Result) -> str:
    return "31" if result.state in BROKEN else "32" if result.state in GOOD else "33"


def _why(result: Result, show: Show) -> Iterator[str]:
    if result.message:
        yield f"      {show(result.message)}"
    if result.cure and result.state not in GOOD:
        yield f"      next: {show(result.cure)}"


def _aside(each: Result, show: Show) -> str:
    told = [f"wave {show(each.wave)}"] if each.wave else []
    told += ["done before"] if each.earlier else [f"{each.seconds:.1f} s"] if each.seconds else []
    return ", ".join(told)


def _matrix(fleet: FleetRun, show: Show, paint: Paint) -> Iterator[str]:
    """Only what is not the same everywhere, and only environments in which something is not."""
    rows, columns = differing(fleet)
    width = max((len(shortened(show(thing), NAME)) for thing, _ in rows), default=0)
    for first in range(0, len(columns), _ACROSS):
        part = columns[first : first + _ACROSS]
        digits = len(str(part[-1] + 1))
        yield ""
        yield f"{'':<{width}}  {' '.join(f'{n + 1:>{digits}}' for n in part)}"
        yield from (_row(thing, [cells[n] for n in part], (width, digits), show, paint) for thing, cells in rows)
    if rows:
        yield ""
        yield _LEGEND
    same = agreement(fleet)
    if same:
        yield ""
        yield same


def agreement(fleet: FleetRun) -> str:
    """How many things are the same, and where that is known; "" where there is nothing to say."""
    told = len(fleet.matrix) - len(differing(fleet)[0])
    looked_at = sum(not _is_blank(each) for each in fleet.results)
    if not told or not looked_at:
        return ""
    things = "thing is" if told == 1 else "things are"
    if looked_at == len(fleet.results):
        return f"{told} {things} the same everywhere"
    where = "the one environment that was" if looked_at == 1 else f"the {looked_at} environments that were"
    return f"{told} {things} the same in {where} looked at"


def differing(fleet: FleetRun) -> tuple[list[tuple[str, tuple[Cell, ...]]], list[int]]:
    """The rows of the matrix with something to see, and the places of the environments in which it is to be seen.

    An environment of which nothing is known is not among them: that is told where it is listed.
    """
    known = [n for n, each in enumerate(fleet.results) if not _is_blank(each)]
    rows = [(thing, cells) for thing, cells in fleet.matrix if {cells[n] for n in known} - {"same", ""}]
    return rows, [n for n in known if any(cells[n] not in ("same", "") for _, cells in rows)]


def _is_blank(result: Result) -> bool:
    return not result.cells and (result.is_broken or result.state in LEFT_OUT)


def _row(thing: str, cells: Sequence[Cell], widths: tuple[int, int], show: Show, paint: Paint) -> str:
    name, digits = shortened(show(thing), NAME), widths[1]
    painted = (paint(f"{SYMBOLS[cell]:>{digits}}", _COLORS[cell]) for cell in cells)
    return f"{name:<{widths[0]}}  {' '.join(painted)}"


def _next(fleet: FleetRun, show: Show) -> Iterator[str]:
    if fleet.stopped:
        yield show(fleet.stopped)
    following = going_on(fleet)
    if following:
        told, call = following
        yield f"next: {told} `{show(call)}`"


def going_on(fleet: FleetRun) -> tuple[str, str] | None:
    """What to do before the run goes on, and the call that makes it; None where nothing is left to it."""
    if not fleet.run or (fleet.exit_code in (0, 3, 4) and not fleet.stopped):
        return None
    is_broken = any(each.is_broken and each.state != "stopped" for each in fleet.results)
    told = "mend what is told above, then" if is_broken else "look at what was done, then"
    told = "to go on:" if fleet.interrupted and not is_broken else told
    call = ("d365setup", "fleet", fleet.command, fleet.file, *fleet.options, "--resume", fleet.run)
    return told, shlex.join(call)
