"""The control endpoint: faults, the log, limits and fixtures of a running emulator, under a path no Dataverse has.

It is for this machine's own programs: the name it is called by must be loopback's, and nothing a web page can send
without asking is accepted.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

from .errors import ServiceError
from .faults import Faults, fault_of
from .limits import Protection
from .operation import Operation, Reply, error_reply, json_reply
from .options import Fault, FaultPlace, Request

PATH = "/_emulator"
FIXTURES = ("clinic", "empty")


@dataclass(frozen=True)
class Control:
    """What the endpoint may reach."""

    faults: Faults
    protection: Protection
    log: list[Request]
    reset: Callable[[Any], None]
    release: Callable[[], None]

    def answer(self, operation: Operation) -> Reply | None:
        """Return the reply to a request for the endpoint, None for any other."""
        path = operation.url.split("?")[0]
        if path != PATH and not path.startswith(f"{PATH}/"):
            return None
        try:
            _check_origin(operation)
            return self._act(operation, path.removeprefix(PATH).strip("/"))
        except ServiceError as error:
            return error_reply(error)

    def _act(self, operation: Operation, name: str) -> Reply:
        acts: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._arm,
            ("DELETE", "faults"): lambda _: self._disarm(),
            ("GET", "requests"): lambda _: {"requests": [dataclasses.asdict(each) for each in list(self.log)]},
            ("DELETE", "requests"): lambda _: self._forget(),
            ("GET", "limits"): lambda _: dataclasses.asdict(self.protection.limits),
            ("DELETE", "limits"): lambda _: self._fresh(),
            ("POST", "reset"): self._begin_again,
        }
        act = acts.get((operation.method, name))
        if act is None:
            known = ", ".join(f"{method} {PATH}/{what}" for method, what in acts)
            raise ServiceError(404, "", f"There is no {operation.method} {PATH}/{name}. There are: {known}.")
        body = _body(operation) if operation.method == "POST" else {}
        return json_reply(200, act(body))

    def _faults(self) -> dict[str, Any]:
        waiting = self.faults.waiting
        return {"faults": [{**dataclasses.asdict(fault), "skip": skip, "times": left} for fault, skip, left in waiting]}

    def _arm(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self.faults.add(fault_of(_text(body["rule"])) if set(body) == {"rule"} else _fault(body))
        except ValueError as error:
            raise ServiceError(400, "", str(error)) from None
        return self._faults()

    def _disarm(self) -> dict[str, Any]:
        self.faults.clear()
        self.release()
        return self._faults()

    def _forget(self) -> dict[str, Any]:
        self.log.clear()
        return {"requests": []}

    def _fresh(self) -> dict[str, Any]:
        self.protection.reset()
        return dataclasses.asdict(self.protection.limits)

    def _begin_again(self, body: Mapping[str, Any]) -> dict[str, Any]:
        fixture = body.get("fixture")
        if set(body) - {"fixture"} or fixture not in {None, *FIXTURES}:
            raise ServiceError(400, "", f"The one thing to say is the fixture: {' or '.join(FIXTURES)}.")
        self.reset(fixture)
        return {"fixture": fixture}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        message = "rule must be text, like 429:path=queues:times=3"
        raise ValueError(message)  # noqa: TRY004  # one kind of refusal for all bad rules
    return value


def _fault(body: Mapping[str, Any]) -> Fault:
    """Return the rule a JSON object describes field by field; raises ValueError."""
    hints = get_type_hints(Fault)
    unknown = sorted(set(body) - set(hints))
    if unknown:
        message = f"{unknown[0]} is no field of a rule; there are rule, or {', '.join(hints)}"
        raise ValueError(message)
    for name, value in body.items():
        if name == "where":
            fits = value in get_args(FaultPlace)
        else:
            kinds = (int, float) if name == "seconds" else (str if hints[name] is str else int)
            fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits:
            message = f"{name} cannot be {value!r}"
            raise ValueError(message)
    return Fault(**body)


def _body(operation: Operation) -> Mapping[str, Any]:
    if not operation.headers.get("content-type", "").lower().startswith("application/json"):
        raise ServiceError(415, "", "Say Content-Type: application/json.")
    try:
        body = json.loads(operation.body or b"{}")
    except (ValueError, RecursionError):
        raise ServiceError(400, "", "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise ServiceError(400, "", "The body must be a JSON object.")
    return body


def _check_origin(operation: Operation) -> None:
    """Refuse web pages, and names that merely lead here."""
    name = urlsplit(f"//{operation.headers.get('host', '')}").hostname or ""
    if "origin" in operation.headers or not _is_loopback(name):
        raise ServiceError(403, "", "The control endpoint answers this machine's own programs only.")


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
