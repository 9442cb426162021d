"""Context variables: values a bot hands over with a conversation, declared on its work stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from d365setup.kinds.base import Column, TableKind, stays, taken_away
from d365setup.kinds.fields import Flag, Name100
from d365setup.kinds.filters import named
from d365setup.kinds.leaving import afterwards, marked, rules_of_stream
from d365setup.kinds.nearest import did_you_mean, has_twins, is_confused
from d365setup.kinds.rule_sets import RuleText
from d365setup.kinds.usage import known_usage, variable_uses
from d365setup.kinds.workstream import Contract
from d365setup.model import (
    Change,
    Desired,
    Live,
    Mistake,
    Named,
    Note,
    Place,
    Query,
    Row,
    Rows,
    Spec,
    Stage,
    Write,
    hidden,
    join_key,
)
from d365setup.scope import Scope

# The platform's own names, and those a Copilot Studio bot brings along (routing facts, section 4.3).
RESERVED = frozenset(
    name.casefold()
    for name in [
        "msdyn_ConversationId",
        "msdyn_contact_msdyn_ocliveworkitem_Customer",
        "msdyn_account_msdyn_ocliveworkitem_Customer",
        "msdyn_incident_msdyn_ocliveworkitem",
        "msdyn_CustomerType",
        "msdyn_CustomerName",
        "msdyn_CustomerId",
        "msdyn_CaseId",
        "msdyn_CaseTitle",
        "msdyn_liveworkitemid",
        "msdyn_inbox_threadids",
        "CloseOmnichannelConversation",
    ]
)

MOST_VARIABLES = 100  # custom ones in a conversation (Omnichannel's page on context variables)


def is_reserved(name: str) -> bool:
    """Whether the platform keeps this name for itself."""
    return name.casefold() in RESERVED or name.casefold().startswith("va_")


@dataclass(frozen=True, kw_only=True)
class ContextVariable(Spec):
    """A context variable of one work stream. Its name is case-sensitive when a conversation is routed."""

    kind: ClassVar[str] = "context_variable"
    place: ClassVar[Place] = Place("workstreams", "context_variables", parent="workstream")

    workstream: str
    name: Name100
    type: Literal["text", "number"] | None = None
    display_name: Name100 | None = None
    existing: Flag = False
    active: bool = hidden(True)  # noqa: FBT003

    @property
    def key(self) -> str:
        """Names are unique within one work stream only."""
        return join_key(self.workstream, self.name)

    def check(self, desired: Desired) -> Iterator[Mistake]:
        """Names the platform keeps for itself are refused; what is only referred to is not described."""
        if self.existing and self.display_name is not None:
            told = (
                "existing: true only refers to the variable and never changes it: leave out display_name, or existing"
            )
            yield Mistake(("display_name",), told)
        if is_reserved(self.name):
            yield Mistake(("name",), f"{self.name!r} is a name the platform keeps for itself; choose another")
        own = [each.name for each in desired.of(ContextVariable) if each.workstream == self.workstream]
        if own[MOST_VARIABLES : MOST_VARIABLES + 1] == [self.name]:
            told = f"{len(own)} context variables for one work stream, and the platform takes {MOST_VARIABLES}"
            yield Mistake((), told)


TYPES = {"text": 192350000, "number": 192350001, "boolean": 192350002, "entity reference": 192350100}
CONTRACT_TYPES = {"text": "string", "number": "number"}


class ContextVariables(TableKind[ContextVariable]):
    """Rows of the context variable table."""

    kind = ContextVariable.kind
    spec = ContextVariable
    after = ("workstream",)
    entity_set = "msdyn_ocliveworkstreamcontextvariables"
    row_key = "msdyn_ocliveworkstreamcontextvariableid"
    label = "context variables"
    columns = {
        "name": Column("msdyn_name"),
        "type": Column("msdyn_datatype", TYPES, "text"),
        "display_name": Column("msdyn_displayname"),
    }
    compared = ("type", "display_name")
    fixed = {
        "msdyn_isdisplayable": True,
        "msdyn_ismodifiable": True,
        "msdyn_islist": False,
        "msdyn_issystemdefined": False,
    }

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """All variables of the work streams: one that differs in case only must be seen. For pruning, all there are."""
        if not self.widely:
            yield from self.readback(wanted)
            return
        yield self._query("")

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The variables of the work streams."""
        streams = (each.workstream for each in changed.of(ContextVariable))
        return map(self._query, named("msdyn_liveworkstreamid/msdyn_name", streams))

    def _query(self, where: str) -> Query:
        select = (self.row_key, "msdyn_name", "msdyn_displayname", "msdyn_datatype", "statecode", "ismanaged")
        return Query(self.label, self.entity_set, select, where, ("msdyn_liveworkstreamid($select=msdyn_name)",))

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Lives, and names to find twins by."""
        for each in super().from_rows(rows):
            yield each
            yield Named(self.kind, each.spec.identity, each.spec.key, each.row_id)

    def from_row(self, row: Row) -> ContextVariable:
        """The variable with its work stream's name."""
        stream = (row.get("msdyn_liveworkstreamid") or {}).get("msdyn_name") or ""
        fields = {**self.read(row), "name": row.get("msdyn_name") or ""}
        return ContextVariable(**fields, workstream=stream, active=not row.get("statecode"))

    def resolve(self, desired: ContextVariable, scope: Scope) -> Iterator[ContextVariable | Note]:
        """A live variable of that name must be usable, and its type is not changed under a rule."""
        yield desired
        live = scope.live.find(self.kind, desired.identity)
        if live is None:
            yield from _absence(desired, scope) if desired.existing else _excess(desired, scope)
            return
        for problem in () if has_twins(desired, scope.live) else _unusable(desired, live, scope):
            yield Note("error", desired.id, problem, desired.source)
        yield from _contract_doubts(desired, live, scope)

    def strays(self, scope: Scope) -> Iterator[Live[ContextVariable] | Note]:
        """Variables of ours; one that a rule will still look at, or that belongs to a solution, stays."""
        after, usage = afterwards(scope), known_usage(scope.live)
        for live in marked(self.kind, scope):
            uses = variable_uses(live.row_id, live.spec.workstream, live.spec.name, usage, texts=after.texts)
            if live.managed:
                yield stays(live, [f"the row ({live.row_id}) is managed by a solution"])
            elif has_twins(live.spec, scope.live):
                yield stays(live, ["another variable of the work stream bears the same name; rename one of them"])
            else:
                yield stays(live, uses) if uses else live

    def diff(self, desired: ContextVariable | None, live: Live[ContextVariable] | None) -> Change | None:
        """Nothing desired: the row is to go."""
        if desired is None:
            return taken_away(live, {"type": (live.spec.type, None)}) if live else None
        return super().diff(desired, live)

    def remove(self, change: Change, scope: Scope) -> Iterator[Write]:
        """Delete the row, once the rules of the work stream are as they should be."""
        spec: Any = change.desired
        live = scope.live.find(self.kind, spec.identity)
        stream = ((live.row if live else {}).get("msdyn_liveworkstreamid") or {}).get("msdyn_liveworkstreamid")
        bound = {"msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream})"} if stream else {}
        before = {**self.to_row(spec, scope), **bound}
        path, when = f"{self.entity_set}({change.row_id})", {"If-Match": change.etag or "*"}
        needs, group = rules_of_stream(spec.workstream, scope), self.group(spec)
        yield Write(Stage.REMOVED, "DELETE", path, None, (change.id,), when, needs, group, before=before)

    def to_row(self, spec: ContextVariable, scope: Scope) -> dict[str, Any]:
        """A new variable hangs on its work stream and is shown by its name unless told otherwise."""
        stream = scope.ids.of("workstream", join_key(spec.workstream))
        row = {"msdyn_displayname": spec.name, **super().to_row(spec, scope)}
        return {**row, "msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream})"}

    def shown_new(self, desired: ContextVariable, name: str) -> Any:
        """The display name is the name unless told otherwise."""
        return super().shown_new(desired, name) or desired.name

    def group(self, spec: ContextVariable) -> str:
        """Variables of one work stream extend one contract row: they must not race."""
        return f"workstream:{join_key(spec.workstream)}"


def _absence(desired: ContextVariable, scope: Scope) -> Iterator[Note]:
    stream = join_key(desired.workstream)
    if scope.live.find("workstream", stream) is None or is_confused(desired, scope.live):
        return  # told already, in words that help more
    names = [each.spec.name for each in scope.live.of(ContextVariable) if each.spec.workstream == desired.workstream]
    hint = did_you_mean(desired.name, names) or "; leave out existing: true so that it is made"
    yield Note("error", desired.id, f"the work stream has no context variable of this name{hint}", desired.source)


def _excess(desired: ContextVariable, scope: Scope) -> Iterator[Note]:
    """More than a conversation can carry, told of the first that is to be made. None is made before one is deleted."""
    stream = [each.spec for each in scope.live.of(ContextVariable) if each.spec.workstream == desired.workstream]
    there = {each.name for each in stream if not is_reserved(each.name)}
    declared = [each for each in scope.desired.of(ContextVariable) if each.workstream == desired.workstream]
    new = [each.name for each in declared if each.name not in there and not each.existing]
    if len(there) + len(new) > MOST_VARIABLES and new[0] == desired.name:
        message = (
            f"the work stream would have {len(there) + len(new)} context variables ({len(there)} that are there, "
            f"{len(new)} new), and the platform takes {MOST_VARIABLES}; declare fewer, or delete some first"
        )
        yield Note("error", desired.id, message, desired.source)


def _unusable(desired: ContextVariable, live: Live[ContextVariable], scope: Scope) -> Iterator[str]:
    have = live.spec.type
    if not live.spec.active:
        yield f"the variable of this name ({live.row_id}) is inactive; activate it or choose another name"
    if have not in ("text", "number"):
        yield (
            f"the variable of this name ({live.row_id}) is of type {have or 'unknown'}, which a bot cannot fill and a "
            "rule of ours cannot use; choose another name"
        )
    elif desired.type and desired.type != have:
        yield from _retyping(desired, have, scope)


def _retyping(desired: ContextVariable, have: str, scope: Scope) -> Iterator[str]:
    if desired.existing:
        yield f"its type is {have}, and existing: true never changes it; say type: {have}, or leave out existing"
        return
    texts = (each for each in scope.live.known(RuleText) if each.workstream == desired.workstream)
    users = dict.fromkeys(rule for each in texts for rule in each.users_of(desired.name))
    if users:
        shown = ", ".join(repr(each) for each in users)
        yield f"its type is {have}, and {shown} uses it; take it out of the rules first, or say type: {have}"


def _contract_doubts(desired: ContextVariable, live: Live[ContextVariable], scope: Scope) -> Iterator[Note]:
    for contract in scope.live.known(Contract):
        if contract.workstream != desired.workstream or contract.problem:
            continue
        kept = contract.variables.get(desired.name)
        if kept is None:
            message = (
                "the routing contract of the work stream does not show it: rules that use it cannot be written until "
                "it does (it can take 15 minutes; otherwise remove and add the variable in the admin centre)"
            )
            yield Note("warning", desired.id, message, desired.source)
        elif kept != CONTRACT_TYPES.get(live.spec.type or "", kept):
            message = f"the routing contract of the work stream holds it as {kept}, the variable says {live.spec.type}"
            yield Note("warning", desired.id, message, desired.source)
