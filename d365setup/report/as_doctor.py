"""A diagnosis as JSON-ready value and as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from d365setup.doctor import Check, Diagnosis, Trouble

_COLORS = {"ok": "32", "warning": "33", "error": "31", "unknown": "2"}


def doctor_data(found: Diagnosis) -> dict[str, Any]:
    """The published shape, `d365setup/doctor/1`."""
    facts, sign_in, caller = found.facts, found.facts.sign_in, found.facts.caller
    solutions = () if isinstance(facts.solutions, Trouble) else facts.solutions
    return {
        "schema": "d365setup/doctor/1",
        "environment": {
            "url": facts.url,
            "organization_id": facts.organization_id,
            "name": facts.organization,
            "version": facts.version,
        },
        "sign_in": {
            "taken": sign_in.title,
            "because": sign_in.because,
            "where": sign_in.where,
            "not_taken": [{"way": way, "because": why} for way, why in sign_in.others],
        },
        "caller": caller and {"user_id": caller.user_id, "name": caller.name, "roles": list(caller.roles)},
        "playbook": facts.playbook,
        "solutions": [{"unique_name": e.unique_name, "name": e.name, "version": e.version} for e in solutions],
        "checks": [{"name": e.name, "verdict": e.verdict, "message": e.message, "next": e.next} for e in found.checks],
        "missing_privileges": [
            {"privilege": e.privilege, "role": e.role, "needed_for": list(e.things)} for e in found.lacking
        ],
        "exit_code": found.exit_code,
    }


def doctor_lines(found: Diagnosis, show: Callable[[Any], str], paint: Callable[[str, str], str]) -> Iterator[str]:
    """Lines of text; `show` makes foreign text safe, `paint` colours ours."""
    sign_in = found.facts.sign_in
    where = f" at {show(sign_in.where)}" if sign_in.where else ""
    yield f"Looked at {show(found.facts.url)}"
    yield f"signing in with {show(sign_in.title)}{where}, because {show(sign_in.because)}"
    for way, why in sign_in.others:
        yield paint(f"    not with {show(way)}: {show(why)}", "2")
    yield ""
    for check in found.checks:
        yield from _check(check, show, paint)
    yield ""
    yield _told(found)


def _check(check: Check, show: Callable[[Any], str], paint: Callable[[str, str], str]) -> Iterator[str]:
    yield f"{paint(f'{check.verdict:<7}', _COLORS[check.verdict])}  {check.name:<12}  {show(check.message)}"
    if check.next:
        yield f"    next: {show(check.next)}"


def _told(found: Diagnosis) -> str:
    count = sum(1 for each in found.checks if each.verdict == "error")
    if not count:
        return "nothing stands in the way"
    return "1 thing stands in the way" if count == 1 else f"{count} things stand in the way"
