"""Work streams: found by name and checked, never made. Only the fallback queue is set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from d365setup.kinds.base import Kind, distinct
from d365setup.kinds.fields import Name100, Name200
from d365setup.kinds.filters import named
from d365setup.kinds.nearest import did_you_mean, has_twins, is_confused
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.model import (
    Action,
    Change,
    Desired,
    FieldChange,
    Live,
    Named,
    Note,
    Place,
    Query,
    Reference,
    ResourceId,
    Row,
    Rows,
    Spec,
    Stage,
    Write,
    hidden,
    join_key,
)
from d365setup.ruleset import RuleSetError, read_contract
from d365setup.scope import Scope


@dataclass(frozen=True, kw_only=True)
class Workstream(Spec):
    """A work stream of unified routing that pushes conversations."""

    kind: ClassVar[str] = "workstream"
    place: ClassVar[Place] = Place("workstreams")

    name: Name100
    fallback_queue: Name200 | None = None
    fallback_id: str = hidden("")
    found: Found | None = hidden(None)  # on a live row: what it says beside these fields

    def references(self) -> Iterator[Reference]:
        """The fallback queue is declared."""
        if self.fallback_queue:
            path = ("fallback_queue",)
            yield Reference("queue", join_key(self.fallback_queue), path, "queue", self.fallback_queue)


@dataclass(frozen=True)
class Found:
    """What a live work stream says beside the fields a playbook sets."""

    unified: bool
    push: bool
    unit_based: bool
    active: bool
    contract_id: str
    units: int = 0  # what one conversation costs, where capacity is counted in units


@dataclass(frozen=True)
class Contract:
    """The variables a work stream's routing contract shows, with the platform's data types (routing facts, 1.4)."""

    workstream: str
    variables: Mapping[str, str]
    problem: str = ""


UNIFIED, PUSH, UNIT_BASED = 717210001, 192350000, 192350000
_FALLBACK = "msdyn_defaultqueue@odata.bind"
SELECT = (
    "msdyn_liveworkstreamid",
    "msdyn_name",
    "msdyn_mode",
    "msdyn_workdistributionmode",
    "msdyn_capacityformat",
    "msdyn_capacityrequired",  # required on every row, so it is there in every environment
)


class Workstreams(Kind[Workstream]):
    """Rows of the work stream table; only the fallback queue is ever written."""

    kind = Workstream.kind
    spec = Workstream
    after = ("queue", "queue_member")
    stage = Stage.ROUTES
    unmarked = (
        "work streams are never made nor taken away; its fallback queue stays as it is (if that queue is to go, choose "
        "another one first)"
    )

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The declared work streams with contract and fallback queue, and the names of all."""
        yield from self.readback(wanted)
        if wanted.of(Workstream):
            yield Query("work stream names", "msdyn_liveworkstreams", ("msdyn_liveworkstreamid", "msdyn_name"))

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The work streams themselves."""
        return workstream_queries(each.name for each in changed.of(Workstream))

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Lives, contracts, and names."""
        for row in distinct(rows.get("work streams", ()), "msdyn_liveworkstreamid"):
            yield _live(row)
            yield _contract(row)
        for row in distinct(rows.get("contracts", ()), "msdyn_liveworkstreamid"):
            yield _contract(row)
        for row in rows.get("work stream names", ()):
            name = row["msdyn_name"] or ""
            yield Named(self.kind, join_key(name), name, row["msdyn_liveworkstreamid"])

    def resolve(self, desired: Workstream, scope: Scope) -> Iterator[Workstream | Note]:
        """It must be there, routed the unified way, and push its work: bots get none otherwise."""
        live = scope.live.find(self.kind, desired.identity)
        for problem in _problems(live, scope) if live else _absence(desired, scope):
            yield Note("error", desired.id, problem, desired.source)
        if live and live.spec.found and not live.spec.found.unit_based:
            message = "capacity is counted by profiles here: the capacity number of a bot decides nothing"
            yield Note("warning", desired.id, message, desired.source)
        if desired.fallback_queue:
            queue = scope.ids.of("queue", Queue(name=desired.fallback_queue).identity)
            yield replace(desired, fallback_id=queue)
        else:
            yield desired

    def diff(self, desired: Workstream | None, live: Live[Workstream] | None) -> Change | None:
        """The fallback queue, by its row."""
        if desired is None or live is None or not desired.fallback_id:
            return None
        if live.spec.fallback_id == desired.fallback_id:
            return None
        fields = (FieldChange("fallback_queue", live.spec.fallback_queue, desired.fallback_queue),)
        return Change(Action.UPDATE, desired.id, desired, fields, "", live.row_id, live.etag)

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """Bind the fallback queue, once its members are in."""
        for change in changes:
            spec: Any = change.desired
            live = scope.live.find(self.kind, spec.identity)
            bound = live.spec.fallback_id if live else ""
            yield Write(
                self.stage,
                "PATCH",
                f"msdyn_liveworkstreams({change.row_id})",
                {_FALLBACK: f"/queues({spec.fallback_id})"},
                (change.id,),
                {"If-Match": change.etag or "*"},
                queue_and_members(spec.fallback_queue, scope),
                str(spec.id),
                before={_FALLBACK: f"/queues({bound})" if bound else None},
            )


def workstream_queries(names: Iterable[str], label: str = "work streams") -> Iterator[Query]:
    """Work streams in full. The fallback queue comes by `$expand`: its bare column is missing in some environments."""
    expand = (
        "msdyn_routingcontractid($select=msdyn_decisioncontractid,msdyn_uniquename,msdyn_contractdefinition)",
        "msdyn_defaultqueue($select=queueid,name)",
    )
    select = (*SELECT, "statecode", "ismanaged")
    for where in named("msdyn_name", names):
        yield Query(label, "msdyn_liveworkstreams", select, where, expand)


def queue_and_members(queue: str, scope: Scope) -> frozenset[ResourceId]:
    """Everything of a queue that must be in place before conversations are sent there: an empty queue closes them."""
    links = (link.id for link in scope.resolved.of(QueueMember) if link.queue == queue)
    return frozenset({Queue(name=queue).id, *links})


def _live(row: Row) -> Live[Workstream]:
    fallback = row.get("msdyn_defaultqueue") or {}
    contract = row.get("msdyn_routingcontractid") or {}
    found = Found(
        unified=row.get("msdyn_mode") == UNIFIED,
        push=row.get("msdyn_workdistributionmode") == PUSH,
        unit_based=row.get("msdyn_capacityformat") in (UNIT_BASED, None),
        active=not row.get("statecode"),
        contract_id=contract.get("msdyn_decisioncontractid") or "",
        units=row.get("msdyn_capacityrequired") or 0,
    )
    spec = Workstream(
        name=row["msdyn_name"] or "",
        fallback_queue=fallback.get("name"),
        fallback_id=fallback.get("queueid") or "",
        found=found,
    )
    return Live(spec, row["msdyn_liveworkstreamid"], row.get("@odata.etag", ""), bool(row.get("ismanaged")))


def _contract(row: Row) -> Contract:
    text = (row.get("msdyn_routingcontractid") or {}).get("msdyn_contractdefinition")
    if not text:
        return Contract(row["msdyn_name"] or "", {}, "it has no routing contract")
    try:
        return Contract(row["msdyn_name"] or "", read_contract(text))
    except RuleSetError as error:
        return Contract(row["msdyn_name"] or "", {}, f"its routing contract cannot be read: {error}")


def _absence(desired: Workstream, scope: Scope) -> Iterator[str]:
    if not is_confused(desired, scope.live):
        names = [each.shown for each in scope.live.known(Named) if each.kind == desired.kind]
        hint = did_you_mean(desired.name, names)
        cure = "; make it in the admin centre first (this tool only adds to it)"
        yield f"there is no work stream of this name{hint or cure}"


def _problems(live: Live[Workstream], scope: Scope) -> Iterator[str]:
    if has_twins(live.spec, scope.live):
        return
    found = live.spec.found
    if found is None or not found.active:
        yield f"the work stream ({live.row_id}) is inactive; activate it first"
    elif not found.unified:
        yield f"the work stream ({live.row_id}) is in legacy mode; migrate it to unified routing first"
    elif not found.push:
        yield f"the work stream ({live.row_id}) lets people pick their work, and bots get work from push ones only"
