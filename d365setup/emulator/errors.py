"""Errors as the service words them: status, code, recognisable text (codes per the Web API error list)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ServiceError(Exception):
    """A request refused; becomes `{"error": {"code", "message"}}`."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        super().__init__(self.message)


def bad_query(message: str) -> ServiceError:
    """Return the refusal of a URL or query option."""
    return ServiceError(400, "0x80060888", message)


def no_property(name: str, table: str) -> ServiceError:
    """Return the refusal of a property name the type does not have."""
    return bad_query(f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.")


def no_segment(name: str) -> ServiceError:
    """Return the refusal of an unknown set, function or path segment."""
    return ServiceError(404, "0x80060888", f"Resource not found for the segment '{name}'.")


def no_row(table: str, row_id: str) -> ServiceError:
    """Return the answer about a row that is not there."""
    return ServiceError(404, "0x80040217", f"Entity '{table}' With Id = {row_id} Does Not Exist")


def duplicate(message: str = "A record with matching key values already exists.") -> ServiceError:
    """Return the refusal of a second row with the same key."""
    return ServiceError(412, "0x80040237", message)


def duplicate_key(columns: tuple[str, ...]) -> ServiceError:
    """Return the refusal of a second row with the values of an alternate key."""
    names = ", ".join(columns)
    message = f"Entity Key {names} violated. A record with the same value for {names} already exists."
    return ServiceError(412, "0x80060892", message)


def stale() -> ServiceError:
    """Return the refusal of a write whose ETag is not the row's."""
    return ServiceError(
        412,
        "0x80060882",
        "The version of the existing record doesn't match the RowVersion property provided.",
    )


def payload(entity_set: str, inner: str) -> ServiceError:
    """Return the refusal of a request body."""
    start = f"Error identified in Payload provided by the user for Entity :'{entity_set}'"
    text = f"{start}, InnerException : Microsoft.OData.ODataException: {inner}"
    return ServiceError(400, "0x80048d19", text)


def plug_in(message: str) -> ServiceError:
    """Return the refusal by one of the product's own plug-ins."""
    return ServiceError(400, "0x80040265", message)


def not_allowed(message: str, code: str = "") -> ServiceError:
    """Return the refusal of a method on this kind of address."""
    return ServiceError(405, code, message)


def not_served(what: str) -> ServiceError:
    """Return an honest answer about what this emulator does not act out."""
    return ServiceError(501, "0x80060888", f"The emulator does not serve {what}.")
