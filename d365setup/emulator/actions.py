"""Actions: bound to a row (members of queues and teams), to a set (many rows at once), to nothing (BulkDelete)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import bulk
from .bulkdelete import ACTION as BULK_DELETE
from .bulkdelete import bulk_delete
from .context import Work
from .errors import no_row, payload
from .operation import Reply
from .payload import NAMESPACE, Reference, guid, parse_json
from .properties import no_resource, unknown_action
from .schema import ManyToMany, Table

PRINCIPALS = frozenset({"systemuser", "team"})
QUEUE_MEMBERS = "queuemembership_association"
TEAM_MEMBERS = "teammembership_association"

UNBOUND: Mapping[str, Callable[[Work], Reply]] = {BULK_DELETE: bulk_delete}


def unbound_action(work: Work, name: str) -> Reply:
    """Answer an action without a table."""
    _posted(work)
    return UNBOUND[name](work)


def set_action(work: Work, table: Table, name: str) -> Reply:
    """Answer an action bound to a set."""
    if name not in bulk.ACTIONS:
        raise unknown_action(name)
    _posted(work)
    return bulk.on_many(work, table, name)


def bound_action(work: Work, table: Table, row_id: str, name: str) -> Reply:
    """Answer an action bound to a row."""
    act = _BOUND.get((table.name, name))
    if act is None:
        raise unknown_action(name)
    _posted(work)
    work.existing(table, row_id)
    act(work, table, row_id)
    return Reply(204)


def is_action(table: Table, name: str) -> bool:
    """Return whether a name without its namespace is that of an action of the table's rows."""
    return (table.name, name) in _BOUND


def _posted(work: Work) -> None:
    if work.operation.method != "POST":
        raise no_resource(work.operation.url)


def _add_to_queue(work: Work, table: Table, row_id: str) -> None:
    principal = _principal(table, parse_json(work.operation.body, table.entity_set).get("Principal"), work)
    collection = table.collections[QUEUE_MEMBERS]
    if principal.table == "systemuser":
        work.writer.link(table, row_id, collection, principal)
        return
    if work.rows.get("team", principal.row_id) is None:
        raise no_row("team", principal.row_id)
    for member in work.rows.find("teammembership", teamid=principal.row_id):
        _join(work, table, row_id, QUEUE_MEMBERS, member["systemuserid"])


def _join(work: Work, table: Table, row_id: str, navigation: str, user_id: str) -> None:
    """Add a user to a collection; one who is in it already is no error here."""
    collection = table.collections[navigation]
    known = isinstance(collection, ManyToMany) and work.rows.find(
        collection.intersect, **{collection.this_column: row_id, collection.other_column: user_id}
    )
    if not known:
        work.writer.link(table, row_id, collection, Reference("systemuser", user_id))


def _add_members(work: Work, table: Table, row_id: str) -> None:
    for user_id in _members(work, table):
        _join(work, table, row_id, TEAM_MEMBERS, user_id)


def _remove_members(work: Work, table: Table, row_id: str) -> None:
    for user_id in _members(work, table):
        work.writer.unlink(table, row_id, table.collections[TEAM_MEMBERS], user_id)


def _members(work: Work, table: Table) -> Iterator[str]:
    members = parse_json(work.operation.body, table.entity_set).get("Members")
    if not isinstance(members, list):
        raise payload(table.entity_set, "The parameter 'Members' with a list of users was expected.")
    for each in members:
        member = _principal(table, each, work)
        if member.table != "systemuser":
            raise payload(table.entity_set, "Members of a team are users.")
        yield member.row_id


def _principal(table: Table, given: Any, work: Work) -> Reference:
    """Return the user or team an action names; the key may be called by its own or its inherited name."""
    given = given if isinstance(given, dict) else {}
    kind = str(given.get("@odata.type", "")).lstrip("#").removeprefix(NAMESPACE)
    value = given.get(f"{kind}id", given.get("ownerid"))
    if kind not in PRINCIPALS or value is None:
        raise payload(table.entity_set, "EdmEntityObject passed should have the key property value set.")
    return Reference(kind, guid(value, work.schema.tables[kind]))


_BOUND: Mapping[tuple[str, str], Callable[[Work, Table, str], None]] = {
    ("queue", "AddPrincipalToQueue"): _add_to_queue,
    ("team", "AddMembersTeam"): _add_members,
    ("team", "RemoveMembersTeam"): _remove_members,
}
