"""The journal's format: lines of JSON, each a whole event. Pure; everything read is checked before it is believed.

The first line says what run this is. `sending` stands before a request goes out, `answered` after its answer came,
`outcome` when it is known what became of a change, `ended` at the end. A journal without `ended` belongs to a process
that died, or that still runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from d365setup.errors import D365SetupError
from d365setup.model import Action, Change, Environment, FieldChange, Plan, ResourceId, Stage, Write
from d365setup.outcome import Outcome

VERSION = 1
END = b'{"event":"ended"'  # how the line begins that ends a journal
_LINK = re.compile(r"(?P<row>\w+\([0-9a-f-]{36}\))/(?P<name>\w+)(?:\((?P<gone>[0-9a-f-]{36})\))?/\$ref", re.IGNORECASE)
Event = dict[str, Any]


class Damaged(D365SetupError):
    """A journal that cannot be read: the message names file and line."""


class TooNew(D365SetupError):
    """A journal of a later d365setup."""


@dataclass(frozen=True)
class Recorded:
    """One write, as it was sent: what `Write` says of it, and the names of the changes it carried out."""

    stage: Stage
    method: str
    path: str
    body: Mapping[str, Any] | None
    changes: tuple[ResourceId, ...]
    condition: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None

    @property
    def makes_row(self) -> bool:
        """Whether it was only allowed to make a new row."""
        return self.condition.get("If-None-Match") == "*"

    @property
    def is_elsewhere(self) -> bool:
        """Whether it went to another service than Dataverse: only then the path is a whole address."""
        return self.path.startswith(("https://", "http://"))

    @property
    def link(self) -> str:
        """The link it made or ended, as the address a DELETE ends it by, ids in lower case; empty for a row."""
        found = _LINK.fullmatch(self.path)
        if not found:
            return ""
        entity_set, _, row_id = found["row"].partition("(")
        other = found["gone"] or str((self.body or {}).get("@odata.id", "")).rpartition("(")[2].rstrip(")")
        return f"{entity_set}({row_id.lower()}/{found['name']}({other.lower()})/$ref"


@dataclass(frozen=True)
class Sent:
    """One change set: whether it landed (None: nobody knows yet)."""

    number: int
    writes: tuple[Recorded, ...]
    landed: bool | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether it went to another service than Dataverse; no change set goes to two."""
        return any(each.is_elsewhere for each in self.writes)


@dataclass(frozen=True)
class Recording:
    """A run as its journal tells it. Times are ISO 8601 in UTC; ``exit_code`` is None while it has not ended."""

    run: str
    command: str
    started: str
    environment: Environment
    playbook: str
    sha256: str
    changes: tuple[Change, ...] = ()
    sent: tuple[Sent, ...] = ()
    outcomes: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # change id -> status, detail
    ended: str = ""
    exit_code: int | None = None
    settled_by: str = ""  # the run that found out what this one, whose process died, left behind
    undoes: str = ""  # the run a rollback rolled back
    tests: str = ""  # what the playbook's tests came to, in a few words; empty where none were asked for
    is_cut: bool = False  # the last line is not whole: the process died while it was written

    @property
    def is_open(self) -> bool:
        """Whether nobody wrote down its end."""
        return not self.ended

    @property
    def here(self) -> Recording:
        """The same, of what went to Dataverse only."""
        return replace(self, sent=tuple(each for each in self.sent if not each.is_elsewhere))

    @property
    def elsewhere(self) -> Recording:
        """The same, of what went to another service only."""
        return replace(self, sent=tuple(each for each in self.sent if each.is_elsewhere))

    @property
    def is_of_bot_alone(self) -> bool:
        """Whether it was a push to a Health Bot: no organization is known of one."""
        return not self.environment.organization_id

    @property
    def unknown(self) -> tuple[Sent, ...]:
        """Change sets whose answer never came."""
        return tuple(each for each in self.sent if each.landed is None)

    @property
    def landed(self) -> tuple[Sent, ...]:
        """Change sets that are in the environment, in the order they were sent."""
        return tuple(each for each in self.sent if each.landed)


def made_links(recordings: Iterable[Recording], organization_id: str, playbook: str) -> frozenset[str]:
    """Every link that this playbook made in that environment and that no later run ended, as `Recorded.link` has it.

    ``recordings`` come oldest first. Rows need no such record, for their ids tell whose they are; links have none.
    """
    made: set[str] = set()
    for run in recordings:
        if (run.environment.organization_id, run.playbook) != (organization_id, playbook):
            continue
        for write in (write for sent in run.landed for write in sent.writes if write.link):
            (made.add if write.method == "POST" else made.discard)(write.link)
    return frozenset(made)


# -- events, written


def began(run: str, command: str, at: str, plan: Plan, version: str, undoes: str = "") -> Event:
    """The first line."""
    environment = plan.environment
    return {
        "event": "run",
        "journal": VERSION,
        "run": run,
        "command": command,
        "at": at,
        "version": version,
        "undoes": undoes,
        "environment": {
            "url": environment.url,
            "organization_id": environment.organization_id,
            "name": environment.name,
        },
        "playbook": {"name": plan.playbook, "sha256": plan.sha256},
        "tests": plan.proof.summary if plan.proof else "",
        "changes": [_change(each) for each in plan.changes],
    }


def sending(number: int, at: str, writes: Sequence[Write]) -> Event:
    """Before a change set goes out."""
    return {"event": "sending", "number": number, "at": at, "writes": [_write(each) for each in writes]}


def answered(number: int, at: str, *, landed: bool | None) -> Event:
    """After its answer, or after a look at what became of it; None when even that could not tell."""
    return {"event": "answered", "number": number, "at": at, "landed": landed}


def outcome(found: Outcome, at: str) -> Event:
    """What became of one change."""
    return {
        "event": "outcome",
        "at": at,
        "id": [found.change.id.kind, found.change.id.key],
        "status": found.status.value,
        "detail": found.detail,
    }


def over(at: str, exit_code: int | None, settled_by: str = "") -> Event:
    """The last line."""
    return {"event": "ended", "at": at, "exit_code": exit_code, "settled_by": settled_by}


def line(event: Event) -> bytes:
    """The event as it stands in the file. ASCII, so that no line can be cut inside a character."""
    return (json.dumps(event, separators=(",", ":")) + "\n").encode("ascii")


def _change(change: Change) -> Event:
    return {
        "action": change.action.value,
        "id": [change.id.kind, change.id.key],
        "fields": [[each.field, _plain(each.before), _plain(each.after)] for each in change.fields],
    }


def _write(write: Write) -> Event:
    return {
        "stage": int(write.stage),
        "method": write.method,
        "path": write.path,
        "body": None if write.body is None else dict(write.body),
        "before": None if write.before is None else dict(write.before),
        "condition": dict(write.condition),
        "changes": [[each.kind, each.key] for each in write.changes],
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else str(value)


# -- events, read


def understood(lines: Sequence[bytes], name: str) -> Recording:
    """The run that these lines tell of. Raises Damaged and TooNew; a last line that is not whole is left out."""
    events = list(_events(lines, name))
    if not events:
        raise Damaged(f"{name} is empty or was cut in its first line: it tells of nothing that was sent; delete it")
    found = _checked(_head, events[0], f"{name}, line 1")
    for place, event in enumerate(events[1:], 2):
        found = _checked(lambda one, run=found: _grown(run, one), event, f"{name}, line {place}")
    return replace(found, is_cut=len(events) < len(lines))


def _events(lines: Sequence[bytes], name: str) -> Iterator[Any]:
    for place, text in enumerate(lines, 1):
        try:
            yield json.loads(text)
        except (ValueError, RecursionError):
            if place == len(lines):
                return
            cure = "restore the file from a backup, or move it away; `history` lists the others"
            raise Damaged(f"{name}, line {place} is damaged; {cure}") from None


def _checked(read: Any, event: Any, where: str) -> Recording:
    try:
        found: Recording = read(event)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise Damaged(f"{where} is not what a journal holds ({told}); restore the file, or move it away") from None
    return found


def _head(event: Any) -> Recording:
    if event["event"] != "run":
        raise ValueError("the first line tells of no run")
    if event["journal"] != VERSION:
        raise TooNew(
            f"run {_text(event['run'])} was written by a later d365setup (journal {event['journal']!r}); "
            "use that one to read it"
        )
    where, playbook = event["environment"], event["playbook"]
    environment = Environment(_text(where["url"]), _text(where["organization_id"]), _text(where["name"]))
    return Recording(
        run=_text(event["run"]),
        command=_text(event["command"]),
        started=_text(event["at"]),
        environment=environment,
        playbook=_text(playbook["name"]),
        sha256=_text(playbook["sha256"]),
        changes=tuple(map(_read_change, event["changes"])),
        undoes=_text(event["undoes"]),
        tests=_text(event.get("tests", "")),  # older journals have none
    )


def _grown(run: Recording, event: Any) -> Recording:
    match event["event"]:
        case "sending":
            writes = tuple(map(_read_write, event["writes"]))
            return replace(run, sent=(*run.sent, Sent(_number(event["number"]), writes)))
        case "answered":
            number, landed = _number(event["number"]), event["landed"]
            if landed not in (True, False, None) or number not in {each.number for each in run.sent}:
                raise ValueError("an answer to what was never sent")
            sent = tuple(replace(each, landed=landed) if each.number == number else each for each in run.sent)
            return replace(run, sent=sent)
        case "outcome":
            told = (_text(event["status"]), _text(event["detail"]))
            return replace(run, outcomes={**run.outcomes, str(_id(event["id"])): told})
        case "ended":
            code = event["exit_code"]
            settled = _text(event["settled_by"])
            return replace(run, ended=_text(event["at"]), exit_code=code and _number(code), settled_by=settled)
    raise ValueError(f"an event called {event['event']!r}")


def _read_change(data: Any) -> Change:
    fields = tuple(FieldChange(_text(name), before, after) for name, before, after in data["fields"])
    return Change(Action(data["action"]), _id(data["id"]), None, fields)


def _read_write(data: Any) -> Recorded:
    if data["method"] not in ("PATCH", "POST", "DELETE"):
        raise ValueError(f"a write by {data['method']!r}")
    for mapping in (data["body"], data["before"]):
        if mapping is not None and not isinstance(mapping, dict):
            raise TypeError("columns that are no columns")
    return Recorded(
        stage=Stage(data["stage"]),
        method=data["method"],
        path=_text(data["path"]),
        body=data["body"],
        changes=tuple(map(_id, data["changes"])),
        condition={_text(key): _text(value) for key, value in data["condition"].items()},
        before=data["before"],
    )


def _id(data: Any) -> ResourceId:
    kind, key = data
    return ResourceId(_text(kind), _text(key))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where a text belongs")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} where a number belongs")
    return value
