"""What the service refused, as a value that outlives the exception."""

from __future__ import annotations

from d365setup.dataverse.errors import AuthError, DataverseError, Forbidden, ReadFailed, Throttled, TransportError
from d365setup.outcome import Failure


def failure_of(error: DataverseError) -> Failure:
    """The error as a value, with the exit code it deserves when nothing at all was written."""
    return Failure(error.message, error.code, error.status, error.request_id, _exit_code(error), error.hint)


def _exit_code(error: DataverseError) -> int:
    if isinstance(error, ReadFailed):
        return max((_exit_code(each) for each in error.errors.values()), default=1)
    if isinstance(error, Throttled):
        return 8
    return 6 if isinstance(error, TransportError | AuthError | Forbidden) else 1
