"""What a caller may choose about an emulator: fixture, delays, and the answers where the sources disagree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FaultPlace = Literal["operation", "request", "drop-before", "drop-after"]


@dataclass(frozen=True)
class Switches:
    """One field for each point on which the published evidence conflicts or is silent."""

    repeated_link: Literal["204", "412"] = "204"
    """Adding an N:N pair a second time: a no-op, or a duplicate error."""
    contract: Literal["at once", "late", "never"] = "at once"
    """When a new or renamed context variable row shows in the work stream's contract."""
    contract_delay_reads: int = 2
    """With `contract="late"`: how many reads of the contract still answer the old text."""
    mappings: Literal["complete", "second write", "never"] = "complete"
    """When dependency mapping rows of a rule set appear."""
    failed_changeset: Literal["wrapper", "single"] = "wrapper"
    """Whether a failed change set keeps its `changesetresponse` wrapper."""
    bot_columns: Literal["accepted", "refused"] = "accepted"
    """Bot columns in the create of an application user."""
    full_name: Literal["kept", "entra"] = "kept"
    """Full name of application users: from the names sent, or always the Entra display name."""
    default_queue_column: Literal["present", "missing"] = "present"
    """`_msdyn_defaultqueue_value` is left out of replies; only `$expand` shows the queue."""
    disabled_rules_column: Literal["present", "absent"] = "present"
    """Whether `msdyn_decisionruleset.msdyn_disabledrules` exists at all."""
    memo_line_ends: Literal["as sent", "crlf"] = "as sent"
    """Line ends of multi-line text in replies."""
    not_equal_null: Literal["included", "excluded"] = "included"
    """Whether `ne 'x'` finds rows whose column is null."""
    delete_enabled_user: Literal["refused", "accepted"] = "refused"
    """Whether a user who is not disabled can be deleted."""


@dataclass(frozen=True)
class Options:
    """How an emulator behaves; every field has a harmless default."""

    fixture: Literal["clinic", "empty"] = "clinic"
    """Loaded when the data file is new."""
    switches: Switches = field(default_factory=Switches)
    rtt: float = 0.0
    """Seconds added to each HTTP request."""
    op_time: float = 0.0
    """Seconds added to each operation; the operations of one `$batch` add up."""
    dop_hint: int = 4
    """Value of `x-ms-dop-hint`."""
    page_size: int = 5000
    """Rows of one page when the request asks for no smaller one."""
    max_body: int = 64 * 1024 * 1024
    """Largest request body in bytes; more is answered 413."""


@dataclass(frozen=True)
class Fault:
    """The next `times` matches (after `skip` of them) are answered with this instead of the usual reply.

    `method` and `path` are regular expressions searched in the method and in the URL's path and query.
    `where`: "operation" looks at each operation, inside a `$batch` too; "request" at the HTTP request as a
    whole; "drop-before" and "drop-after" cut the connection before or after the request was carried out.
    """

    method: str = ""
    path: str = ""
    status: int = 500
    code: str = "0x80040216"
    message: str = "An unexpected error occurred."
    times: int = 1
    skip: int = 0
    retry_after: int | None = None
    where: FaultPlace = "operation"


@dataclass(frozen=True)
class Request:
    """One HTTP request the emulator answered; times are those of `time.monotonic`."""

    method: str
    path: str
    status: int
    started: float
    ended: float
    operations: tuple[tuple[str, str, int], ...] = ()
    """Method, URL and status of each part of a `$batch` that was carried out."""
    user: str = ""
    """Id of the user it ran as; empty when nobody was signed in."""
