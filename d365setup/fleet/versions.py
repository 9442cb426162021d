"""Whether this command, the scheduler and the workers run the same versions of what they must agree on."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from d365setup import __version__

HERE, SCHEDULER = "here", "the scheduler"
_OURS = "d365setup:__version__"
_SHOWN = 3  # workers named beside what is wrong with them
Versions = Mapping[str, str]  # of d365setup, distributed, Python; "" where nobody told, NONE where it is not installed
NONE = "none"


def asked(client: Any) -> dict[str, Versions]:
    """Who has which versions: we, the scheduler, each worker that is there now."""
    found = client.get_versions()
    ours = client.run(pkgutil.resolve_name, _OURS, on_error="return")
    workers = {f"worker {who}": _of(each, _told(ours.get(who))) for who, each in found["workers"].items()}
    scheduler = _of(found["scheduler"], _on_scheduler(client))
    return {HERE: _of(found["client"], __version__), SCHEDULER: scheduler, **workers}


def _on_scheduler(client: Any) -> str:
    try:
        return _told(client.run_on_scheduler(pkgutil.resolve_name, _OURS))
    except (ImportError, AttributeError) as error:
        return _told(error)
    except ValueError:  # its operator lets nobody run functions there
        return ""


def _told(answer: object) -> str:
    """A version; NONE for a missing package; what else came in its place says nothing."""
    if isinstance(answer, ImportError | AttributeError):
        return NONE
    return answer if isinstance(answer, str) else ""


def _of(found: Mapping[str, Any], ours: str) -> Versions:
    packages = found.get("packages", {})
    python = ".".join(str(packages.get("python", "")).split(".")[:2])
    return {"d365setup": ours, "distributed": str(packages.get("distributed") or ""), "Python": python}


def mismatch(told: Mapping[str, Versions]) -> str:
    """What does not match and the cure, "" where all is well."""
    here = told[HERE]
    lines = list(_differing(here, told))
    if not lines:
        return ""
    pinned = f"pip install 'd365setup[fleet]=={here['d365setup']}' 'distributed=={here['distributed']}'"
    cure = f"install the same everywhere ({pinned}, on Python {here['Python']}), best from one image"
    return f"the versions do not match, and nothing was sent: {'; '.join(lines)}; {cure}"


def _differing(here: Versions, told: Mapping[str, Versions]) -> Iterator[str]:
    for what, version in here.items():
        others: dict[str, list[str]] = {}
        for who, versions in told.items():
            if versions[what] not in (version, ""):
                others.setdefault(versions[what], []).append(who)
        for other, whose in others.items():
            more = f" and {len(whose) - _SHOWN} more" if len(whose) > _SHOWN else ""
            has = "not installed" if other == NONE else other
            yield f"{what} is {version} here, and {has} on {', '.join(whose[:_SHOWN])}{more}"
