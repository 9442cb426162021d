"""Where things on the page are, and where links may lead."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from d365setup.audit.findings import Finding

_LONGEST = 80
_PLAIN = re.compile(r"[A-Za-z0-9_./]+(?: [A-Za-z0-9_./]+)*")
_OTHER = re.compile(r"[^A-Za-z0-9_./]+")


def anchors(findings: Iterable[Finding], show: Callable[[str], str]) -> tuple[str, ...]:
    """An id for each finding, in their order: `R12-queue-Nurses`. The same finding has the same one in every report.

    ``show`` makes the names fit to be seen: what is masked must not come back through an address.
    """
    seen: dict[str, int] = {}
    found = []
    for each in findings:
        name = _anchor(each.id, each.subject.kind, show(each.subject.key))
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return tuple(found)


def _anchor(*parts: str) -> str:
    """Unlike names get unlike anchors: what cannot stand in one as it is gets a hash behind ``~``."""
    name = "-".join(_OTHER.sub("-", part).strip("-") for part in parts)
    if len(name) <= _LONGEST and all(_PLAIN.fullmatch(part) for part in parts):
        return name
    digest = hashlib.sha256("|".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[:_LONGEST].rstrip('-')}~{digest[:8]}"


def link(address: str) -> str:
    """The address where a browser may go there: http and https only; "" for any other."""
    try:
        split = urlsplit(address)
    except ValueError:
        return ""
    return address if split.scheme in ("http", "https") and split.netloc else ""
