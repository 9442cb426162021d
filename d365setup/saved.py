"""Saved plans: what was reviewed, in a file that cannot be edited, and what has changed since. Pure.

A saved plan holds the playbook's own text and the values of its variables, so that the same plan can be made again from
what the environment says later: it is applied only when nothing at all came out differently.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from d365setup.errors import Refused, Stale, StaleRow, UsageError
from d365setup.model import Change, Environment, Write
from d365setup.plan import Decision

SCHEMA = "d365setup/saved-plan/1"
LARGEST = 32 * 1024 * 1024  # bytes
_FUTURE = timedelta(minutes=5)  # how far another machine's clock may be ahead
_START = re.compile(rb'\s*\{\s*"schema"\s*:\s*"(d365setup/saved-plan/[^"]{1,20})"')
_AGAIN = "make it anew with `d365setup plan --out`"

Data = dict[str, Any]


@dataclass(frozen=True)
class Saved:
    """A saved plan as it was read; nothing of it was compared with an environment yet."""

    created: datetime
    environment: Environment
    playbook: str
    texts: tuple[tuple[str, str], ...]
    variables: Mapping[str, str]
    prune: bool
    skip_tests: bool
    changes: tuple[Data, ...]
    writes: tuple[Data, ...]
    sha256: str = ""  # of the file's bytes

    @property
    def has_scenarios(self) -> bool:
        """Whether it changes a Health Bot too: then it cannot be compared without looking there."""
        return any(each["kind"] == "scenario" for each in self.changes)


def is_saved_plan(start: bytes) -> bool:
    """Whether a file that begins so is a saved plan, of whatever version."""
    return bool(_START.match(start))


def document(
    decision: Decision,
    texts: Sequence[tuple[str, str]],
    variables: Mapping[str, str],
    at: datetime,
    *,
    prune: bool,
    skip_tests: bool = False,
) -> bytes:
    """The file's bytes. They end with a digest over all others, and none can be altered unnoticed."""
    plan, where = decision.plan, decision.plan.environment
    content: Data = {
        "schema": SCHEMA,
        "created": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "environment": {"url": where.url, "organization_id": where.organization_id, "name": where.name},
        "playbook": {"name": plan.playbook, "sha256": plan.sha256, "files": [list(each) for each in texts]},
        "variables": dict(variables),
        "prune": prune,
        "skip_tests": skip_tests,
        "fingerprint": plan.fingerprint,
        "changes": [_change(each) for each in plan.changes],
        "writes": [_write(each) for each in decision.writes],
        "rows": dict(sorted(decision.scope.live.versions.items())),
    }
    return _sealed(content)


def _sealed(content: Mapping[str, Any]) -> bytes:
    unsealed = json.dumps({**content, "integrity": ""}, indent=1)
    digest = hashlib.sha256(unsealed.encode("ascii")).hexdigest()
    return (json.dumps({**content, "integrity": f"sha256:{digest}"}, indent=1) + "\n").encode("ascii")


def parsed(data: bytes, name: str) -> Saved:
    """Read a saved plan. Raises UsageError where it is none, Refused where one byte is not as it was written."""
    if len(data) > LARGEST:
        raise UsageError(f"{name} is larger than {LARGEST} bytes: no saved plan is")
    found = _START.match(data)
    if found and found[1].decode("ascii", "replace") != SCHEMA:
        raise UsageError(f"{name} is a {found[1].decode('ascii', 'replace')}, of another d365setup; {_AGAIN}")
    try:
        content = json.loads(data)
        seal = content.pop("integrity")
        whole = _sealed(content)
    except (ValueError, RecursionError, AttributeError, KeyError):
        raise UsageError(f"{name} is no saved plan, or only a part of one; {_AGAIN}") from None
    if whole != data or not isinstance(seal, str):
        raise Refused(f"{name} is not as `plan --out` wrote it: somebody edited it, and it is not applied; {_AGAIN}")
    try:
        return replace(_read(content), sha256=hashlib.sha256(data).hexdigest())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{name} is no saved plan ({type(error).__name__}: {error}); {_AGAIN}") from None


def _read(content: Data) -> Saved:
    where, playbook = content["environment"], content["playbook"]
    return Saved(
        created=datetime.fromisoformat(content["created"]),
        environment=Environment(str(where["url"]), str(where["organization_id"]), str(where["name"])),
        playbook=str(playbook["name"]),
        texts=tuple((str(file), str(text)) for file, text in playbook["files"]),
        variables={str(name): str(value) for name, value in content["variables"].items()},
        prune=content["prune"] is True,
        skip_tests=content.get("skip_tests") is True,  # plans saved before there were tests have none
        changes=tuple(content["changes"]),
        writes=tuple(content["writes"]),
    )


def check_age(saved: Saved, now: datetime, most: timedelta) -> None:
    """Raise Refused when it is too old, or from the future."""
    age = now - saved.created
    if age > most:
        raise Refused(f"the plan is {_hours(age)} old, and --max-age allows {_hours(most)}; {_AGAIN}")
    if age < -_FUTURE:
        raise Refused(f"the plan was made {_hours(-age)} in the future, by this machine's clock; set the clock right")


def check_environment(saved: Saved, environment: Environment) -> None:
    """Raise Refused when this is another environment than the plan was made for."""
    if saved.environment.organization_id != environment.organization_id:
        was = saved.environment
        raise Refused(
            f"the plan was made for {was.name} ({was.organization_id}, {was.url}), and {environment.url} is "
            f"{environment.name} ({environment.organization_id})"
        )


def check_same(saved: Saved, decision: Decision) -> None:
    """Raise Stale when the plan that this environment asks for now is not exactly the saved one."""
    fresh = {(each.id.kind, each.id.key): _change(each) for each in decision.plan.changes}
    planned = {(each["kind"], each["key"]): each for each in saved.changes}
    now_sent = {each.path: _write(each) for each in decision.writes}
    sent = {each["path"]: each for each in saved.writes}
    rows = []
    for name in dict.fromkeys((*planned, *fresh)):
        before, now = planned.get(name), fresh.get(name)
        if before != now:
            rows.append(StaleRow(":".join(name), _told(before), _then(before), _now(before, now)))
        else:
            rows += _touched(name, before or {}, sent, now_sent)
    if rows or sent.keys() != now_sent.keys():
        raise Stale(rows or [StaleRow("the plan", f"{len(sent)} writes", "", f"{len(now_sent)} other writes")])


def _touched(
    name: tuple[str, str], change: Data, sent: Mapping[str, Data], now_sent: Mapping[str, Data]
) -> list[StaleRow]:
    """Rows of a change that is the same on the face of it, but whose row was written since."""
    own = [path for path, write in sent.items() if list(name) in write["changes"] and write != now_sent.get(path)]
    return [
        StaleRow(":".join(name), _told(change), _version(sent[path]), f"{_version(now_sent.get(path))} ({path})")
        for path in own
    ]


def _version(write: Data | None) -> str:
    if write is None:
        return "no write"
    version = write["condition"].get("If-Match", "")
    return f"version {version}" if version else "no row"


def _told(change: Data | None) -> str:
    if change is None:
        return "nothing"
    fields = ", ".join(f"{field}: {_value(before)} → {_value(after)}" for field, before, after in change["fields"])
    return f"{change['action']} ({fields})" if fields else str(change["action"])


def _then(change: Data | None) -> str:
    if change is None:
        return "as declared"
    if change["action"] == "create":
        return "not there"
    return ", ".join(f"{field} {_value(before)}" for field, before, _ in change["fields"])


def _now(planned: Data | None, now: Data | None) -> str:
    if now is None:
        return "as declared already"
    if planned is None:
        return _told(now)
    return ", ".join(f"{field} {_value(before)}" for field, before, _ in now["fields"]) or str(now["action"])


def _value(value: Any) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)


def _hours(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min"


def _change(change: Change) -> Data:
    return {
        "action": change.action.value,
        "kind": change.id.kind,
        "key": change.id.key,
        "fields": [[each.field, _plain(each.before), _plain(each.after)] for each in change.fields],
        "reason": change.reason,
        "manual": change.manual,
        "row": change.row_id,
    }


def _write(write: Write) -> Data:
    return {
        "method": write.method,
        "path": write.path,
        "body": None if write.body is None else dict(write.body),
        "condition": dict(write.condition),
        "changes": [[each.kind, each.key] for each in write.changes],
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else str(value)
