"""From what one environment's process printed to its result: the cells of the matrix, why, and the cure. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from d365setup.fleet.results import BROKEN, Cell, Command, Result, state_of

_SAID = 600  # characters of a message or a cure that a report of many environments repeats
_NAMED = 3  # things that a message names; the matrix has all of them
_LEVELS = ("error", "warning", "info")
_RANK: dict[Cell, int] = {"failed": 3, "missing": 2, "changed": 2, "waived": 1}
_UNSHOWN = "wait a few minutes, then verify: it was written, and the service does not show it"
_CURES = {
    "changes": "see every field with `d365setup plan` on it alone, then apply",
    "drift": "see what differs with plan, then apply; or change the playbook",
    "by hand": "take the steps that the checklist names, then verify",
    "test failed": "mend the rules, the members or the playbook's test",
    "not ready": "mend the first link that breaks; `d365setup verify` shows it",
    "findings": "cure each finding or waive it; `d365setup audit` tells how",
}


def document(text: str) -> Mapping[str, Any] | None:
    """The one JSON document of a process; None where it printed none of ours."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(found, dict) and str(found.get("schema", "")).startswith("d365setup/")
    return found if is_ours and isinstance(found.get("exit_code"), int) else None


def judged(command: Command, name: str, url: str, found: Mapping[str, Any], seconds: float) -> Result:
    """The result that a document stands for."""
    code = int(found["exit_code"])
    state = state_of(command, code)
    cells = tuple(_worst(_cells(found)).items())
    message, cure = _told(found, cells)
    if state in BROKEN:
        cure = cure or "run the command on this environment alone to see everything"
    landed = any(each.get("status") in ("verified", "not verified") for each in _list(found, "outcomes"))
    return Result(
        name, url, state, code, message[:_SAID], (cure or _CURES.get(state, ""))[:_SAID], cells, seconds, landed
    )


def _told(found: Mapping[str, Any], cells: tuple[tuple[str, Cell], ...]) -> tuple[str, str]:
    if "message" in found:
        problems = [str(each.get("message", "")) for each in _list(found, "problems")[:3]]
        said = ": ".join([str(found["message"]), "; ".join(problems)] if problems else [str(found["message"])])
        return said, str(found.get("hint", ""))
    failed = next((e for e in _list(found, "outcomes") if e.get("status") in ("failed", "not verified")), None)
    if failed:
        unshown = _UNSHOWN if failed.get("status") == "not verified" else ""
        return f"{failed.get('id')}: {failed.get('detail')}", str(failed.get("hint", "")) or unshown
    findings = list(_counting(found))
    if findings:
        first, more = findings[0], f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        return f"{first.get('id')}: {first.get('message')}{more}", str(first.get("cure", ""))
    things = [thing for thing, cell in cells if cell != "waived"]
    if things:
        return _counted(things, changed=bool(found.get("outcomes"))), ""
    waivers = (*_list(found, "waivers"), *_list(_map(found, "findings"), "waivers"))
    expired = next((each for each in waivers if each.get("level") == "error"), None)
    return (str(expired.get("message")), "renew the waiver, or cure what it covers") if expired else ("", "")


def _counted(things: Sequence[str], *, changed: bool) -> str:
    """How many; where they still differ, the first of them by name."""
    count = f"{len(things)} {'thing' if len(things) == 1 else 'things'}"
    if changed:
        return f"{count} changed"
    more = f" and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    return f"{count} {'differs' if len(things) == 1 else 'differ'}: {', '.join(things[:_NAMED])}{more}"


def _cells(found: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    outcomes = _list(found, "outcomes")
    for change in (*_list(found, "changes"), *_list(found, "drift")) if not outcomes else ():
        yield _thing(change), "missing" if change.get("action") == "create" else "changed"
    for outcome in outcomes:
        yield _thing(outcome), _ended(outcome)
    for path in _list(_map(found, "readiness"), "paths"):
        if any(link.get("state") == "broken" for link in _list(path, "links")):
            yield f"hand-off:{path.get('bot')} {path.get('handed_over', '')}".strip(), "failed"
    for finding in _list(_map(found, "findings"), "errors"):
        yield _finding(finding), "waived" if finding.get("waived") else "failed"
    for finding in _counting(found):
        yield _finding(finding), "failed"
    for finding in _list(found, "waived"):
        yield _finding(finding), "waived"


def _counting(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The findings of an audit that are as bad as its --fail-on, or worse."""
    told = found.get("fail_on")
    counted = _LEVELS[: _LEVELS.index(told) + 1] if told in _LEVELS else _LEVELS[:1]
    return (each for each in _list(found, "findings") if each.get("level") in counted)


def _ended(outcome: Mapping[str, Any]) -> Cell:
    match outcome.get("status"):
        case "verified":
            return "changed"
        case "manual step":
            return "missing" if outcome.get("action") == "create" else "changed"
    return "failed"


def _thing(change: Mapping[str, Any]) -> str:
    return f"{change.get('kind')}:{change.get('key')}"


def _finding(finding: Mapping[str, Any]) -> str:
    """The row it stands in; what is about an environment as a whole has one row for all, whatever each is called."""
    about = _map(finding, "object")
    named = "" if about.get("kind") == "environment" else f":{about.get('key')}"
    return f"{finding.get('id')} {about.get('kind')}{named}"


def _worst(cells: Iterator[tuple[str, Cell]]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for thing, cell in cells:
        if _RANK[cell] > _RANK.get(found.get(thing, "same"), 0):
            found[thing] = cell
    return found


def _list(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _map(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}
