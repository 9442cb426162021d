"""A connection of Microsoft's SDK to an emulator: its own classes, its own sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from d365setup.emulator import entra

from .conftest import Place, needed


@dataclass(frozen=True)
class Sdk:
    """The client and the classes of errors it raises."""

    client: Any
    errors: Any


@contextmanager
def connected(place: Place) -> Iterator[Sdk]:
    """Yield the SDK's client, signed in with the application's secret by azure-identity."""
    errors = needed("PowerPlatform.Dataverse.core.errors")
    client = needed("PowerPlatform.Dataverse.client")
    identity = needed("azure.identity")
    credential = identity.ClientSecretCredential(
        entra.TENANT,
        entra.PIPELINE,
        entra.PIPELINE_SECRET,
        authority=place.url,
        disable_instance_discovery=True,
    )
    with credential, client.DataverseClient(place.url, credential) as connection:
        yield Sdk(connection, errors)
