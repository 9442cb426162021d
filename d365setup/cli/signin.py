"""Signing in from environment variables: an access token, or an app registration's secret."""

from __future__ import annotations

from collections.abc import Mapping

from d365setup.dataverse.auth import ClientSecret, StaticToken, TokenSource
from d365setup.errors import UsageError

TOKEN = "D365_ACCESS_TOKEN"  # noqa: S105  # the name of a variable, not a token
TENANT = ("D365_TENANT_ID", "AZURE_TENANT_ID")  # the second is the name azure-identity uses
CLIENT = ("D365_CLIENT_ID", "AZURE_CLIENT_ID")
SECRET = ("D365_CLIENT_SECRET", "AZURE_CLIENT_SECRET")
SECRETS = frozenset({TOKEN, *SECRET})
_WAYS = f"set {TOKEN}, or {TENANT[0]}, {CLIENT[0]} and {SECRET[0]}, in the environment or in .env (see .env.example)"


def tokens(variables: Mapping[str, str], url: str) -> TokenSource:
    """Who signs in: a token wins over a secret, a D365_ name over its AZURE_ twin. Raises UsageError without any."""
    try:
        if variables.get(TOKEN):
            return StaticToken(variables[TOKEN])
        tenant, client, secret = (_first(variables, names) for names in (TENANT, CLIENT, SECRET))
        return ClientSecret(tenant, client, secret, url)
    except ValueError as error:
        raise UsageError(f"sign-in: {error}; {_WAYS}") from None


def _first(variables: Mapping[str, str], names: tuple[str, str]) -> str:
    """The first that has a value; one that is there and empty is most likely a secret the pipeline did not get."""
    for name in names:
        if variables.get(name, "").strip():
            return variables[name].strip()
    empty = [name for name in (*names, TOKEN) if name in variables]
    told = f"{empty[0]} is set, but empty" if empty else f"{names[0]} is not set"
    raise UsageError(f"sign-in: {told}; {_WAYS}")
