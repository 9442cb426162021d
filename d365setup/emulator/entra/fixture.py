"""The directory that goes with the fixture `clinic`."""

from __future__ import annotations

from .. import fixtures, functions
from .directory import Application, Directory, Federated, Person, Secret

TENANT = functions.TENANT
PIPELINE = fixtures.CALLER_APPLICATION
PIPELINE_SECRET = "only-for-the-emulator"  # noqa: S105  # made up, and worth nothing anywhere else
PERSONAL = fixtures.fixed_id("application", "d365setup for people")
SAMPLE = "51f81489-12ee-4a9e-aaae-a2591f45987d"  # the public client of Microsoft's own samples
STRANGER = fixtures.fixed_id("application", "of no environment")
GITHUB = "https://token.actions.githubusercontent.com"
GITHUB_SUBJECT = "repo:contoso/omnichannel:ref:refs/heads/main"
PIPELINES = "https://vstoken.dev.azure.com/" + fixtures.fixed_id("azure devops organization", "contoso")
PIPELINES_SUBJECT = "sc://contoso/omnichannel/d365setup"
SERVICE_CONNECTION = fixtures.fixed_id("service connection", "d365setup")
KUBERNETES = "https://kubernetes.contoso.example"
KUBERNETES_SUBJECT = "system:serviceaccount:default:d365setup"


def clinic() -> Directory:
    """One tenant with the pipeline's application, one for people, one nobody knows; and the clinic's people."""
    directory = Directory(TENANT, "contoso.example", "Contoso Health")
    secret = Secret(PIPELINE_SECRET)
    federated = (
        Federated(GITHUB, GITHUB_SUBJECT),
        Federated(PIPELINES, PIPELINES_SUBJECT),
        Federated(KUBERNETES, KUBERNETES_SUBJECT),
    )
    pipeline = {"secrets": (secret,), "federated": federated, "managed_identity": True}
    directory.put(
        Application(PIPELINE, "d365setup pipeline", **pipeline),  # type: ignore[arg-type]
        Application(PERSONAL, "d365setup for people", public_client=True),
        Application(SAMPLE, "sample client", public_client=True),
        Application(STRANGER, "of no environment", (secret,)),
    )
    for address, first, last, *_ in fixtures.PEOPLE:
        directory.put(Person(address, fixtures.fixed_id("entra", address), f"{first} {last}"))
    return directory
