"""What came of looking at evidence, as JSON-ready values and as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from d365setup.evidence.inspection import Inspected, Inspection

Data = dict[str, Any]


def evidence_data(found: Inspection) -> Data:
    """The published shape (`schemas/evidence-check.json`)."""
    return {
        "schema": "d365setup/evidence-check/1",
        "files": [_file(each) for each in found.files],
        "exit_code": found.exit_code,
    }


def _file(each: Inspected) -> Data:
    altered, inside = each.alteration, each.found
    return {
        "file": each.file,
        "state": each.state,
        "sha256": inside.sha256 if inside else None,
        "command": str(each.call.get("command", "")),
        "started": str(each.call.get("started", "")),
        "alteration": altered
        and {"start": altered.start, "end": altered.end, "line": altered.line, "what": altered.what},
        "problems": list(each.problems),
        "notes": list(each.notes),
        "signature": each.signature,
        "signed_by": (inside.signed_by if inside else "") or None,
        "previous": inside.previous and {"file": inside.previous.file, "sha256": inside.previous.sha256}
        if inside
        else None,
    }


def evidence_lines(found: Inspection, show: Callable[[str], str], _paint: Any = None) -> Iterator[str]:
    """A line for each file and for each thing wrong with it, then what it amounts to."""
    for each in found.files:
        yield f"{each.state:<10}  {show(each.file)}{_about(each, show)}"
        for told in (*([str(each.alteration)] if each.alteration else []), *each.problems, *each.notes):
            yield f"    {show(told)}"
    yield ""
    yield _end(found)


def _about(each: Inspected, show: Callable[[str], str]) -> str:
    if each.state != "unaltered":
        return ""
    signed = "; the signature is valid" if each.signature == "valid" else ""
    return f"  ({show(str(each.call.get('command', '')))} of {show(str(each.call.get('started', '')))}{signed})"


def _end(found: Inspection) -> str:
    count = len(found.files)
    wrong = sum(1 for each in found.files if each.state != "unaltered")
    files = "1 file" if count == 1 else f"{count} files"
    if wrong:
        return f"{wrong} of {files} cannot be relied on"
    if any(each.signature != "valid" for each in found.files):
        return f"{files} as sealed; without a signature that was checked, somebody could have sealed all of it anew"
    return f"{files} as sealed and signed"
