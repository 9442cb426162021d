"""Snapshots: an environment as a JSON file (`d365setup/snapshot/2`), to be looked at without the environment.

It holds the contact center and, for plans, the rows that the kinds' queries found (`kept`); format 1, without those, is
still read. In the contact center every user stands once. Of a rule set the text is kept as it is stored; its rules are
read from it again. The file names people and their addresses: it is written readable by its owner only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from d365setup.center import (
    Configuration,
    ContactCenter,
    Overflow,
    Queue,
    RoutingStep,
    RuleSet,
    Unread,
    User,
    Workstream,
)
from d365setup.errors import UsageError
from d365setup.model import Environment
from d365setup.survey.codec import Malformed, fields_read, read, written
from d365setup.survey.kept import Kept, kept_read, kept_written
from d365setup.survey.streams import understood
from d365setup.survey.strict import parsed

SCHEMA = "d365setup/snapshot/2"
EARLIER = "d365setup/snapshot/1"
LARGEST = 256 * 1024 * 1024  # bytes; hundreds of work streams with the longest rule sets have less

_ENVIRONMENT = ("url", "organization_id", "organization", "root_business_unit")
_KEYS = frozenset(
    {
        "schema",
        "taken_at",
        "environment",
        "declines_allowed",
        "users",
        "bots",
        "queues",
        "workstreams",
        "overflows",
        "unread",
        "kept",
    }
)
_OF_TEXT = frozenset({"rules", "hit_policy", "problem"})  # what a rule set's text decides


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot's file holds; ``kept`` is None in one of format 1, and where the rows were too many."""

    center: ContactCenter
    kept: Kept | None = None


def dump(center: ContactCenter, kept: Kept | None = None) -> str:
    """The snapshot's text. Rule sets must have theirs: rules without a text (of a playbook alone) are not kept."""
    people = {each.row_id: each for queue in center.queues for each in queue.members or ()}
    users = {**people, **{each.row_id: each for each in center.users}}
    document = {
        "schema": SCHEMA,
        "taken_at": center.taken_at,
        "environment": {name: getattr(center, name) for name in _ENVIRONMENT},
        "declines_allowed": center.declines_allowed,
        "users": [written(users[row_id]) for row_id in sorted(users)],
        "bots": [each.row_id for each in center.users],
        "queues": [_queue_written(each) for each in center.queues],
        "workstreams": [_stream_written(each) for each in center.workstreams],
        "overflows": written(center.overflows),
        "unread": [written(each) for each in center.unread],
        "kept": kept_written(kept) if kept else None,
    }
    return json.dumps(document, indent=1) + "\n"


def load(text: str, name: str = "the snapshot") -> Snapshot:
    """What a snapshot's text holds; ``name`` is what messages call it. Raises UsageError for anything else."""
    try:
        return _snapshot(parsed(text, LARGEST))
    except Malformed as error:
        message = f"{name} cannot be used: {error}; take a new one with d365setup audit --save"
        raise UsageError(message) from None


def save(path: Path, center: ContactCenter, kept: Kept | None = None) -> None:
    """Write a snapshot, whole or not at all, readable by its owner only. Raises UsageError where it cannot be."""
    text = dump(center, kept)
    if len(text.encode()) > LARGEST:
        raise UsageError(f"the snapshot {path} would have more than {LARGEST // 1024 // 1024} MB, and is not written")
    fresh = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            os.fchmod(file.fileno(), 0o600)  # one left over may be readable by others
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise UsageError(f"the snapshot {path} cannot be written: {error.strerror}") from None


def open_snapshot(path: Path) -> Snapshot:
    """What a snapshot's file holds. Raises UsageError where it cannot be read or is none."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UsageError(f"the snapshot {path} has more than {LARGEST // 1024 // 1024} MB, and is none of ours")
        text = data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"the snapshot {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"the snapshot {path} is not UTF-8 text; take a new one with d365setup audit --save") from None
    return load(text, f"the snapshot {path}")


def _queue_written(queue: Queue) -> dict[str, Any]:
    members = None if queue.members is None else [each.row_id for each in queue.members]
    return {**written(replace(queue, members=None)), "members": members}


def _stream_written(stream: Workstream) -> dict[str, Any]:
    found: dict[str, Any] = written(stream)
    for configuration in found["configurations"] or ():
        for step in configuration["steps"]:
            if step["rule_set"] is not None:
                _shorten(step["rule_set"])
    return found


def _shorten(rule_set: dict[str, Any]) -> None:
    """Leave out what the text says again; a problem may be another than the text's."""
    for each in ("rules", "hit_policy", *(() if rule_set["problem"] else ("problem",))):
        del rule_set[each]


def _snapshot(document: Any) -> Snapshot:
    _check_head(document)
    center = _center(document)
    where = Environment(
        center.url,
        center.organization_id,
        center.organization,
        root_business_unit=center.root_business_unit,
        taken_at=center.taken_at,
    )
    kept = document.get("kept")
    return Snapshot(center, None if kept is None else kept_read(kept, where))


def _center(document: Any) -> ContactCenter:
    users = {each.row_id: each for each in read(tuple[User, ...], document["users"], "users")}
    bots = read(tuple[str, ...], document["bots"], "bots")
    about = {name: read(str, document["environment"][name], f"environment.{name}", name) for name in _ENVIRONMENT}
    return ContactCenter(
        tuple(_stream(each, where) for each, where in _each(document, "workstreams")),
        tuple(_queue(each, where, users) for each, where in _each(document, "queues")),
        tuple(_user(each, f"bots[{index}]", users) for index, each in enumerate(bots)),
        origin="snapshot",
        taken_at=_moment(document["taken_at"]),
        declines_allowed=read(int | None, document["declines_allowed"], "declines_allowed"),
        overflows=read(Mapping[str, tuple[Overflow, ...]], document["overflows"], "overflows"),
        unread=read(tuple[Unread, ...], document["unread"], "unread"),
        **about,
    )


def _moment(value: Any) -> str:
    found: str = read(str, value, "taken_at")
    try:
        is_moment = not found or datetime.fromisoformat(found).tzinfo is UTC
    except ValueError:
        is_moment = False
    if not is_moment:
        raise Malformed(f"taken_at is {found[:60]!r}, not a time like 2026-03-01T22:30:00Z")
    return found


def _check_head(document: Any) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("schema"), str):
        raise Malformed("it does not say that it is a snapshot (no 'schema')")
    if document["schema"] not in (SCHEMA, EARLIER):
        raise Malformed(f"it is a {document['schema'][:60]!r}, and this version reads {SCHEMA!r} and {EARLIER!r}")
    keys = _KEYS if document["schema"] == SCHEMA else _KEYS - {"kept"}
    for key in sorted(keys ^ document.keys()):
        raise Malformed(f"it has {key[:60]!r}, which nobody knows" if key in document else f"it has no {key!r}")
    environment = document["environment"]
    if not isinstance(environment, dict) or set(environment) != set(_ENVIRONMENT):
        raise Malformed(f"environment is not an object of {', '.join(_ENVIRONMENT)}")


def _each(document: dict[str, Any], key: str) -> Iterable[tuple[Any, str]]:
    if not isinstance(document[key], list):
        raise Malformed(f"{key} is not a list")
    return ((each, f"{key}[{index}]") for index, each in enumerate(document[key]))


def _queue(value: Any, where: str, users: Mapping[str, User]) -> Queue:
    found = fields_read(Queue, _object(value, where, "members"), where, frozenset({"members"}))
    ids = read(tuple[str, ...] | None, value["members"], f"{where}.members")
    members = None if ids is None else tuple(_user(each, f"{where}.members", users) for each in ids)
    return Queue(**found, members=members)


def _user(row_id: str, where: str, users: Mapping[str, User]) -> User:
    if row_id not in users:
        raise Malformed(f"{where} names {row_id[:60]!r}, who is not among the users")
    return users[row_id]


def _stream(value: Any, where: str) -> Workstream:
    found = fields_read(Workstream, _object(value, where, "configurations"), where, frozenset({"configurations"}))
    if value["configurations"] is None:
        return Workstream(**found, configurations=None)
    made = [_configuration(each, place) for each, place in _within(value, where, "configurations")]
    return Workstream(**found, configurations=tuple(made))


def _configuration(value: Any, where: str) -> Configuration:
    found = fields_read(Configuration, _object(value, where, "steps"), where, frozenset({"steps"}))
    return Configuration(**found, steps=tuple(_step(each, place) for each, place in _within(value, where, "steps")))


def _step(value: Any, where: str) -> RoutingStep:
    found = fields_read(RoutingStep, _object(value, where, "rule_set"), where, frozenset({"rule_set"}))
    rule_set = value["rule_set"]
    return RoutingStep(**found, rule_set=None if rule_set is None else _rule_set(rule_set, f"{where}.rule_set"))


def _rule_set(value: Any, where: str) -> RuleSet:
    said = dict(value) if isinstance(value, dict) else value
    problem = read(str, said.pop("problem", ""), f"{where}.problem") if isinstance(said, dict) else ""
    found = fields_read(RuleSet, said, where, _OF_TEXT)
    known = {**found, **understood(found.get("text", ""))}
    return RuleSet(**({**known, "problem": problem} if problem else known))


def _object(value: Any, where: str, key: str) -> Any:
    """The object without the key that is read by itself, which it must have."""
    if not isinstance(value, dict):
        raise Malformed(f"{where} is not an object")
    if key not in value:
        raise Malformed(f"{where} has no {key!r}")
    return {name: each for name, each in value.items() if name != key}


def _within(value: dict[str, Any], where: str, key: str) -> Iterable[tuple[Any, str]]:
    if not isinstance(value[key], list):
        raise Malformed(f"{where}.{key} is not a list")
    return ((each, f"{where}.{key}[{index}]") for index, each in enumerate(value[key]))
