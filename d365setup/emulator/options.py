"""What a caller may choose about an emulator: fixture, delays, and the answers where the sources disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FaultPlace = Literal[
    "operation", "request", "drop-before", "drop-midway", "drop-within", "drop-after", "torn", "slow", "stale"
]


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
class Fault:
    """The next `times` matches (after `skip` of them) meet this; `times=0` means every one.

    `method` and `path` are regular expressions searched in the method and in the URL's path and query.
    For what happens after the work ("drop-after", "drop-within", "torn") the URLs of a batch's parts are searched
    too. `where` says what is looked at and what happens:

    * "operation": each operation, inside a `$batch` too, is refused with status, code and message;
    * "request": the HTTP request as a whole is;
    * "slow": each operation takes `seconds` longer;
    * "drop-before": the connection is cut before anything is done;
    * "drop-midway": it is cut when this operation is reached; what a `$batch` did before stays done;
    * "drop-after": it is cut after the work, before the answer;
    * "drop-within": it is cut in the middle of the answer, whose length was announced;
    * "torn": half the answer, with the length of the half: whole for HTTP, broken for who reads it;
    * "stale": after a matching write, the next `reads` reads (0: any number) within `seconds` (0: however late)
      see the rows as they were before it.
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
    seconds: float = 0.0
    reads: int = 0


@dataclass(frozen=True)
class Limits:
    """Service protection: what one user may do within a sliding window (the published numbers by default)."""

    requests: int = 6000
    """HTTP requests; a `$batch` is one."""
    execution: float = 1200.0
    """Seconds of execution time, those of requests side by side added up."""
    concurrent: int = 52
    """Requests at once."""
    window: float = 300.0
    """Seconds that are looked back."""


@dataclass(frozen=True)
class Options:
    """How an emulator behaves; every field has a harmless default."""

    fixture: Literal["clinic", "empty"] = "clinic"
    """Loaded when the data file is new."""
    switches: Switches = field(default_factory=Switches)
    organization: int = 1
    """Which organization a new file holds: each number has a name and an id of its own, the same on every machine."""
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
    users: Mapping[str, str] = field(default_factory=dict)
    """Token to the user it acts as: id, full name, address or application id of a user row. Any other token is
    refused then. While empty, every token acts as the fixture's caller, a System Administrator."""
    limits: Limits = field(default_factory=Limits)
    faults: tuple[Fault, ...] = ()
    """Rules armed from the start."""
    scenario_import: Literal["kept", "rewritten"] = "kept"
    """What the Health Bot's import does to a scenario: keeps its id and the text of its code, and it is active; or
    gives it a new id, writes the code anew, and leaves it inactive."""
    fault_rate: float = 0.0
    """Share of the requests that fail by chance, from 0 to 1."""
    fault_seed: int = 0
    """What chance begins with: the same seed makes the same requests fail, counted in the order they come in."""


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
