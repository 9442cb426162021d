"""From a sign-in by reference to the variables one process gets: its own secrets, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from d365setup.errors import NotReachable
from d365setup.fleet.entries import SignIn, is_variable

DECIDING = (
    "D365_ACCESS_TOKEN", "D365_TENANT_ID", "D365_CLIENT_ID", "D365_CLIENT_SECRET", "D365_CERTIFICATE_PATH",
    "D365_CERTIFICATE_PASSWORD", "D365_FEDERATED_TOKEN_FILE", "D365_MANAGED_IDENTITY", "D365_DEVICE_CODE",
    "D365_SERVICE_CONNECTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "D365_HEALTHBOT_SECRET", "D365_HEALTHBOT_RESOURCE_ID",
)  # fmt: skip
"""What decides who signs in (docs/sign-in.md): an environment with a sign-in of its own hears nothing of it else."""

_OFFERED = {
    "github": ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    "azure-pipelines": ("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"),
}


def variables(given: SignIn | None, around: Mapping[str, str], others: frozenset[str]) -> dict[str, str]:
    """What to set for a process beside what is set already. Raises NotReachable where a variable is not set.

    Empty means not set, also against a `.env` file that says otherwise. ``others`` are variables with the secrets of
    the whole fleet.
    """
    if given is None:
        return {name: "" for name in others if name not in DECIDING}
    silent = dict.fromkeys((*DECIDING, *others, *_not_offered(given)), "")
    return silent | dict(_stated(given, around))


def _not_offered(given: SignIn) -> Iterator[str]:
    for way, names in _OFFERED.items():
        if given.federated != way:
            yield from names


def _stated(given: SignIn, around: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables of one environment's own sign-in."""
    for name, variable in (
        ("D365_ACCESS_TOKEN", given.token),
        ("D365_CLIENT_SECRET", given.secret),
        ("D365_CERTIFICATE_PASSWORD", given.certificate_password),
        ("D365_HEALTHBOT_SECRET", given.healthbot_secret),
    ):
        if variable:
            yield name, _value(variable, around)
    for name, text in (
        ("D365_TENANT_ID", given.tenant_id),
        ("D365_CLIENT_ID", given.client_id),
        ("D365_SERVICE_CONNECTION_ID", given.service_connection),
        ("D365_MANAGED_IDENTITY", given.managed_identity),
        ("D365_CERTIFICATE_PATH", given.certificate),
        ("D365_FEDERATED_TOKEN_FILE", given.federated_token_file),
        ("D365_HEALTHBOT_RESOURCE_ID", given.healthbot_resource),
    ):
        if text:
            yield name, _value(text, around) if is_variable(text) and "/" not in text else text


def _value(variable: str, around: Mapping[str, str]) -> str:
    found = around.get(variable, "")
    if not found.strip():
        told = "set, but empty" if variable in around else "not set"
        raise NotReachable(f"sign-in: the variable {variable}, which the fleet file names, is {told}")
    return found
