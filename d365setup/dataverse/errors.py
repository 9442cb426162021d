"""What can go wrong between us and Dataverse: every failure becomes one of these, once, at the border.

DataverseError
├── TransportError            no usable answer
│   ├── ConnectFailed         nothing was sent: the service surely did not act
│   ├── ConnectionLost        sent, no answer: the service may have acted
│   ├── TimedOut              sent, no answer in time: the service may have acted
│   └── UnexpectedAnswer      not Dataverse, garbled, torn or too large
│       └── ForeignAddress    an address outside the environment's own Web API, refused before sending
├── AuthError                 no token, or HTTP 401
├── ServiceError              an error the service itself reports
│   ├── BadRequest            400, and 4xx without a class of their own
│   ├── Forbidden             403
│   ├── NotFound              404
│   ├── PreconditionFailed    412
│   │   ├── AlreadyExists     0x80040237, 0x80060892
│   │   └── Stale             0x80060882: the row changed since it was read
│   ├── Throttled             429
│   ├── ServerFault           500, and 5xx without a class of their own
│   └── Unavailable           502, 503, 504
├── NotAnswered               a part of a batch that the service never came to
├── ReadFailed                some paths of one wave failed; `errors` holds each
└── ReadOnlyViolation         a write over a read-only client: nothing was sent

Codes and shapes: learn.microsoft.com, "Compose HTTP requests and handle errors" and "Web service error codes".
"""

# names say what happened; every one is an error by its base

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from d365setup.dataverse.payload import one_line, parse_json

_HINTS = {
    "0x80072560": "add the app registration as an application user of this environment",
    "0x80042f09": "give the application user a security role",
    "0x80040225": "enable the user in this environment",
    "0x80040220": "give the user a security role that holds the privilege named in the message",
    "0x80048306": "give the user access to the row, or a role that reaches it",
}
_FOREIGN = "the answer is no Dataverse error but"
_REPEATABLE_FAULTS = {"0x80044150", "0x80044151"}  # SQL error (deadlocks among them) and SQL timeout


class DataverseError(Exception):
    """Anything this library raises on purpose, ValueError for wrong arguments aside.

    `status` is the HTTP status or None when there was no answer, `code` the service's own ("0x8004…" or ""),
    `retry_after` seconds the service asked to wait, `may_repeat` whether the same request may succeed later,
    `may_have_acted` whether a write may have happened in spite of the error.
    """

    default_hint: ClassVar[str] = ""
    repeat_by_default: ClassVar[bool] = False
    may_have_acted: bool = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        may_repeat: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.may_repeat = self.repeat_by_default if may_repeat is None else may_repeat

    def __str__(self) -> str:
        known = [
            f"HTTP {self.status}" if self.status else "",
            self.code,
            f"request {self.request_id}" if self.request_id else "",
        ]
        detail = ", ".join(item for item in known if item)
        return f"{self.message} ({detail})" if detail else self.message

    @property
    def hint(self) -> str:
        """What to do next, in one clause, or "" where the message says all there is to say."""
        return _HINTS.get(self.code, self.default_hint)


class TransportError(DataverseError):
    """No usable answer came."""


class ConnectFailed(TransportError):
    """No connection was made, so nothing was sent."""

    repeat_by_default = True
    default_hint = "check the address, the network and the proxy settings"


class ConnectionLost(TransportError):
    """The connection ended before a whole answer came."""

    repeat_by_default = True
    may_have_acted = True


class TimedOut(TransportError):
    """The answer did not come in time."""

    repeat_by_default = True
    may_have_acted = True


class UnexpectedAnswer(TransportError):
    """An answer came that Dataverse would not give."""

    may_have_acted = True
    default_hint = "check that the address is a Dataverse environment and that no proxy answers in its place"


class ForeignAddress(UnexpectedAnswer):
    """An address outside the environment's own Web API; the token never goes there."""

    may_have_acted = False


class AuthError(DataverseError):
    """No token could be had, or the environment refused it."""


class ServiceError(DataverseError):
    """The service understood enough to report an error."""


class BadRequest(ServiceError):
    """The request is wrong as it stands."""


class Forbidden(ServiceError):
    """The user may not do this."""

    default_hint = "check the security roles of the user in this environment"


class NotFound(ServiceError):
    """The row, table or function does not exist."""


class PreconditionFailed(ServiceError):
    """A condition sent with the request, or a uniqueness rule, does not hold."""


class AlreadyExists(PreconditionFailed):
    """A row with this id or key is there already."""


class Stale(PreconditionFailed):
    """The row changed since it was read."""

    default_hint = "somebody changed it since it was read: run the command again"


class Throttled(ServiceError):
    """A service protection limit was reached; nothing was done."""

    repeat_by_default = True
    default_hint = "wait, then run again; fewer clients of the same user help"


class ServerFault(ServiceError):
    """The service failed inside."""

    may_have_acted = True


class Unavailable(ServiceError):
    """The service, or a gateway before it, cannot answer now."""

    repeat_by_default = True
    may_have_acted = True
    default_hint = "try again in a few minutes"


class NotAnswered(DataverseError):
    """The service gave no answer for this part of a batch."""


class ReadOnlyViolation(DataverseError):
    """A write was asked of a read-only client; nothing was sent."""


class ReadFailed(DataverseError):
    """Some paths of one wave could not be read: `errors` maps the path's index to its error."""

    def __init__(self, errors: Mapping[int, DataverseError]) -> None:
        self.errors = dict(sorted(errors.items()))
        self.first = next(iter(self.errors.values()))
        first, others = self.first, len(self.errors) - 1
        message = first.message + (f" (and {others} more could not be read)" if others else "")
        super().__init__(
            message,
            status=first.status,
            code=first.code,
            request_id=first.request_id,
            retry_after=first.retry_after,
            may_repeat=all(error.may_repeat for error in self.errors.values()),
        )


def from_reply(status: int, headers: Mapping[str, str], body: bytes) -> DataverseError:
    """The error an answer stands for, whatever its body holds: Dataverse's JSON, HTML of a proxy, or nothing."""
    known = {name.lower(): value for name, value in headers.items()}
    message, code = _described(body)
    if status == 401:
        message = _sign_in_refused(known)
    # A page in place of Dataverse's JSON: some other web server lives at this address.
    kind = UnexpectedAnswer if status == 404 and message.startswith(_FOREIGN) else _kind(status, code)
    return kind(
        message or f"the service answered HTTP {status} without saying why",
        status=status,
        code=code,
        request_id=request_id(known),
        retry_after=retry_after(known),
        may_repeat=True if code in _REPEATABLE_FAULTS else None,
    )


def request_id(headers: Mapping[str, str]) -> str:
    """The service's id of the request, from lower-case headers; what Microsoft's support asks for."""
    for name in ("x-ms-service-request-id", "req_id"):
        first = headers.get(name, "").split(",")[0].strip()  # the service sends this header twice
        if re.fullmatch(r"[0-9A-Za-z-]{1,64}", first):
            return first
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from lower-case headers: a number or an HTTP date (RFC 9110, 10.2.3); None if absent."""
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", asked):
        return float(asked)
    until = _seconds_of(asked)
    if until is None:
        return None
    now = _seconds_of(headers.get("date", ""))  # the service's own clock where it tells it
    return max(0.0, math.ceil(until - (time.time() if now is None else now)))


def _seconds_of(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _kind(status: int, code: str) -> type[DataverseError]:
    if status == 412 and code in {"0x80040237", "0x80060892"}:
        return AlreadyExists
    if status == 412 and code == "0x80060882":
        return Stale
    exact: dict[int, type[DataverseError]] = {
        401: AuthError,
        403: Forbidden,
        404: NotFound,
        412: PreconditionFailed,
        429: Throttled,
        502: Unavailable,
        503: Unavailable,
        504: Unavailable,
    }
    return exact.get(status) or _family(status)


def _family(status: int) -> type[DataverseError]:
    if 400 <= status < 500:
        return BadRequest
    return ServerFault if 500 <= status < 600 else UnexpectedAnswer


def _described(body: bytes) -> tuple[str, str]:
    try:
        value = parse_json(body)
    except ValueError:
        excerpt = one_line(body[:2000].decode("utf-8", "replace"), 200)
        return f"{_FOREIGN}: {excerpt}", ""
    if not isinstance(value, dict):
        return "", ""
    error = value.get("error")
    if isinstance(error, dict):
        return _text(error.get("message")), _code(error.get("code"))
    # Before OData takes over, the web framework answers in its own shape.
    texts = [_text(value.get(name)) for name in ("Message", "ExceptionMessage")]
    return ": ".join(text for text in texts if text), _code(value.get("ErrorCode"))


def _text(value: Any) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _code(value: Any) -> str:
    """As lower-case hex; the framework's empty and 0x0 codes mean "none"; signed decimals are the same numbers."""
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", value):
        number = int(value, 16)
    elif isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,10}", value)):
        number = int(value) % 2**32
    else:
        return ""
    return f"0x{number:08x}" if number else ""


def _sign_in_refused(headers: Mapping[str, str]) -> str:
    reason = one_line(headers.get("401_error_reason", ""), 300)
    challenge = headers.get("www-authenticate", "")
    wanted = re.search(r"authorization_uri=\"?(https://[^\s,\"]{1,200})", challenge)
    text = f"the environment refused the token{f': {reason}' if reason else ''}"
    if wanted:
        text += f"; it expects one issued by {one_line(wanted[1], 200)}"
    return f"{text}; check tenant, client id and the environment's address"
