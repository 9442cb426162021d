"""HTTP requests to transactions: single operations, batches, change sets, and the faults asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from . import contracts
from .address import NoVersion, parse_address
from .batch import ChangeSet, ChangeSetReply, Item, ItemReply, parse_batch, write_batch
from .bearer import Bearer, user_of
from .context import Session
from .errors import ServiceError
from .faults import Cut, Faults
from .impersonation import acting, named
from .limits import Protection
from .operation import Operation, Reply, error_reply, json_reply
from .options import Fault, FaultPlace, Options
from .principals import admitted, user_id_of
from .schema import Schema
from .service import perform
from .snapshots import Snapshots
from .store import Rows, Store

LOG = logging.getLogger(__name__)
Done = tuple[str, str, int]


@dataclass
class Gateway:
    """Carries out requests on a store; safe to use from many threads."""

    store: Store
    schema: Schema
    options: Options
    faults: Faults
    caller_id: str
    protection: Protection
    snapshots: Snapshots
    sleep: Callable[[float], None] = time.sleep
    behalf: tuple[str, str] | None = None
    """Column and value of the user the request is made for, when that is not the caller."""
    failures: list[Exception] = field(default_factory=list)
    """Exceptions that were the emulator's own fault (answered 500)."""

    def speaking_for(self, bearer: Bearer) -> Gateway:
        """The same, acting as the user a token stands for; without such a user it refuses every operation."""
        known = self.options.users.get(bearer.token, "").partition(":")[0]
        if not (bearer.application_id or bearer.object_id or known):
            return self
        with self.store.reading() as rows:
            return replace(self, caller_id=user_id_of(rows, known) if known else user_of(rows, bearer))

    def meeting(self, faults: Faults) -> Gateway:
        """The same, for one request and what it is to meet."""
        return replace(self, faults=faults)

    def handle(self, operation: Operation) -> tuple[Reply, tuple[Done, ...]]:
        """Return the reply to an HTTP request, and what was done for it when it was a batch."""
        self._wait(self.options.rtt)
        done: list[Done] = []
        try:
            self._strike("request", operation)
            with self.protection.admitted(self.caller_id):
                return replace(self, behalf=named(operation.headers))._carried_out(operation, done), tuple(done)
        except NoVersion as error:
            reply = json_reply(error.status, {"Message": error.message})
        except ServiceError as error:
            reply = error_reply(error, operation.annotations)
        return reply, tuple(done)

    def _carried_out(self, operation: Operation, done: list[Done]) -> Reply:
        if parse_address(operation.url).segments[:1] == BATCH:
            return self._batch(operation, done)
        return self._one(operation, in_batch=False)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.sleep(seconds)

    def _strike(self, where: FaultPlace, operation: Operation) -> None:
        fault = self.faults.take(where, operation.method, operation.url)
        if fault is not None:
            raise as_error(fault)

    def _reach(self, operation: Operation) -> None:
        """Let an operation meet what was asked for it: slowness, a cut connection, a refusal."""
        slow = self.faults.take("slow", operation.method, operation.url)
        self._wait(slow.seconds if slow else 0)
        if self.faults.take("drop-midway", operation.method, operation.url) is not None:
            raise Cut
        self._strike("operation", operation)

    def _hold_past(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            stale = self.faults.take("stale", operation.method, operation.url) if operation.is_write else None
            if stale is not None:
                self.snapshots.hold(stale.seconds, stale.reads)

    def _one(self, operation: Operation, *, in_batch: bool) -> Reply:
        """Carry out one operation in a transaction of its own; errors become replies."""
        self._wait(self.options.op_time)
        try:
            self._reach(operation)
            return self._write(operation, in_batch) if operation.is_write else self._read(operation, in_batch)
        except (NoVersion, Cut):
            raise
        except ServiceError as error:
            return error_reply(error, operation.annotations)
        except Exception as error:  # noqa: BLE001  # a defect of ours: logged, kept and answered 500
            return self._defect(error)

    def _read(self, operation: Operation, in_batch: bool) -> Reply:  # noqa: FBT001  # private
        with self.snapshots.reading() as rows:
            session = self._session(rows, in_batch=in_batch)
            reply = perform(session, operation)
        if session.contracts_read and self.options.switches.contract == "late":
            with self.store.writing() as rows:
                contracts.contracts_read(rows, sorted(session.contracts_read))
        return reply

    def _write(self, operation: Operation, in_batch: bool) -> Reply:  # noqa: FBT001  # private
        self._hold_past([operation])
        with self.store.writing() as rows:
            return perform(self._session(rows, in_batch=in_batch), operation)

    def _session(self, rows: Rows, *, in_batch: bool) -> Session:
        rights = admitted(rows, self.caller_id)
        if self.behalf is not None:
            rights = acting(rows, rights, self.behalf)
        return Session(rows, self.schema, self.options, rights.user, in_batch, rights=rights)

    def _defect(self, error: Exception) -> Reply:
        LOG.exception("defect of the emulator", exc_info=error)
        self.failures.append(error)
        return error_reply(ServiceError(500, "0x80040216", f"An unexpected error occurred. {error!r}"))

    def _batch(self, operation: Operation, done: list[Done]) -> Reply:
        if operation.method != "POST":
            raise ServiceError(405, "", f"The requested resource does not support http method '{operation.method}'.")
        service = f"/api/data/{parse_address(operation.url).version}/"
        items = parse_batch(operation.body, operation.headers.get("content-type", ""), operation.root, service)
        go_on = "odata.continue-on-error" in operation.preferences
        replies, status = [], 200
        for item in items:
            reply, error = self._item(item, done)
            replies.append(reply)
            if error and not go_on:
                status = error
                break
        body, content_type = write_batch(replies, self.options.switches.failed_changeset == "single")
        headers = (("Preference-Applied", "odata.continue-on-error"),) if go_on else ()
        return Reply(status, body, content_type, headers)

    def _item(self, item: Item, done: list[Done]) -> tuple[ItemReply, int]:
        """Return the reply to a part and the status it failed with, 0 for none."""
        if isinstance(item, ChangeSet):
            result = self._change_set(item, done)
            return result, result.parts[0][1].status if result.failed else 0
        reply = self._one(item, in_batch=True)
        done.append((item.method, item.url, reply.status))
        return reply, reply.status if reply.failed else 0

    def _change_set(self, item: ChangeSet, done: list[Done]) -> ChangeSetReply:
        self._wait(self.options.op_time * len(item.operations))
        parts: list[tuple[str | None, Reply]] = []
        current = item.operations[0] if item.operations else None
        try:
            self._hold_past(item.operations)
            with self.store.writing() as rows:
                session = self._session(rows, in_batch=True)
                for current in item.operations:
                    self._reach(current)
                    parts.append((current.content_id, perform(session, current)))
        except Cut:
            raise
        except ServiceError as error:
            return self._failed(current, error_reply(error), done)
        except Exception as error:  # noqa: BLE001  # as in _one
            return self._failed(current, self._defect(error), done)
        done += [(each.method, each.url, reply.status) for each, (_, reply) in zip(item.operations, parts, strict=True)]
        return ChangeSetReply(tuple(parts), failed=False)

    def _failed(self, current: Operation | None, reply: Reply, done: list[Done]) -> ChangeSetReply:
        if current is not None:
            done.append((current.method, current.url, reply.status))
        return ChangeSetReply(((current.content_id if current else None, reply),), failed=True)


def as_error(fault: Fault) -> ServiceError:
    """Return the error a fault stands for."""
    headers = (("Retry-After", str(fault.retry_after)),) if fault.retry_after is not None else ()
    return ServiceError(fault.status, fault.code, fault.message, headers)


BATCH = parse_address("/api/data/v9.2/$batch").segments
