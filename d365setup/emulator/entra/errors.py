"""Refusals as Entra words them: an AADSTS number, an OAuth error, a text people have seen before.

Numbers and texts follow Microsoft's list of AADSTS codes and public reports of what came over the wire; for
70017 (a device code declined) neither shows a number: it is ours, the OAuth error `authorization_declined` is not.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass

from ..operation import Reply

PROTOCOL = "application/json; charset=utf-8"


@dataclass
class SignInError(Exception):
    """A request refused; `number` as in AADSTS`number`."""

    number: int
    error: str
    text: str
    status: int = 400

    def __post_init__(self) -> None:
        super().__init__(self.text)


def invalid_request(number: int, text: str) -> SignInError:
    """Return the refusal of a malformed or impossible request."""
    return SignInError(number, "invalid_request", text)


def invalid_client(number: int, text: str) -> SignInError:
    """Return the refusal of a credential."""
    return SignInError(number, "invalid_client", text, 401)


def missing(name: str) -> SignInError:
    """Return the refusal of a request that lacks a parameter."""
    return invalid_request(900144, f"The request body must contain the following parameter: '{name}'.")


def no_tenant(name: str) -> SignInError:
    """Return the answer about a tenant that is not there."""
    text = (
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant."
    )
    return invalid_request(90002, text)


def odd_tenant(name: str) -> SignInError:
    """Return the answer about a tenant name that cannot be one."""
    text = f"Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external domain."
    return invalid_request(900023, text)


def no_application(client_id: str, tenant: str) -> SignInError:
    """Return the answer about an application that is not registered here."""
    text = (
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant."
    )
    return SignInError(700016, "unauthorized_client", text)


def no_resource(resource: str, tenant: str) -> SignInError:
    """Return the answer about a resource the tenant does not know."""
    text = (
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You might have sent your authentication request to the wrong tenant."
    )
    return SignInError(500011, "invalid_resource", text)


def wrong_secret(client_id: str) -> SignInError:
    """Return the refusal of a secret that is not one of the application's."""
    text = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
        f"not the client secret ID, for a secret added to app '{client_id}'."
    )
    return invalid_client(7000215, text)


def expired_secret(client_id: str) -> SignInError:
    """Return the refusal of a secret past its date."""
    text = (
        f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys "
        "for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
        "https://aka.ms/certCreds."
    )
    return invalid_client(7000222, text)


def error_reply(refused: SignInError, now: float, correlation: str = "") -> Reply:
    """Return the reply that carries a refusal, in Entra's JSON."""
    trace, correlation = str(uuid.uuid4()), correlation or str(uuid.uuid4())
    stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    told = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    shown = {
        "error": refused.error,
        "error_description": f"AADSTS{refused.number}: {refused.text} {told}",
        "error_codes": [refused.number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={refused.number}",
    }
    return reply_json(refused.status, shown)


def reply_json(status: int, value: object) -> Reply:
    """Return a reply no cache may keep."""
    headers = (("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache"), ("x-ms-request-id", str(uuid.uuid4())))
    return Reply(status, json.dumps(value).encode(), PROTOCOL, headers)
