"""An emulated Entra ID beside the emulator: same host and port, over TLS; its tokens are the only ones accepted.

Needs `cryptography` and `PyJWT`, which MSAL brings. In a test::

    from d365setup.emulator import entra

    with entra.serve(folder) as office:  # an `Entra`; `folder` keeps certificate and keys, and may be reused
        office.url  # https://127.0.0.1:N, of the environment and of the sign-in service
        office.authority  # https://127.0.0.1:N/<tenant id>, for MSAL with instance_discovery=False
        office.ca_bundle  # Path of the CA file: for --ca-bundle, D365_CA_BUNDLE, verify=
        office.emulator  # the Emulator, to change rows, to make it fail, to see its requests
        office.directory  # applications and people; `office.directory.put(Application(...))` adds or replaces one
        office.requests  # (method, path, status) of what was asked of the sign-in service, secrets left out

`entra.attach(emulator, folder)` does the same to an emulator you made yourself, before it starts. The directory
to begin with (`clinic()`) has, in the tenant `entra.TENANT` (`contoso.example`):

* `entra.PIPELINE`, an application with the secret `entra.PIPELINE_SECRET`, federated credentials for
  `GITHUB_SUBJECT`, `PIPELINES_SUBJECT` and `KUBERNETES_SUBJECT`, and a managed identity; it is the fixture's
  application user with System Administrator;
* `entra.PERSONAL` and `entra.SAMPLE`, public clients for device codes; `entra.STRANGER`, an application with the
  same secret that no environment knows (403 0x80072560); the fixture's people, who hold the role Omnichannel agent.

Make a certificate with `made = make_certificate("d365setup pipeline")` (`made.pem` with key, `made.certificate`,
`made.pfx(password)`, `made.thumbprint`) and register it with `office.register(entra.PIPELINE, made)`.

Device code: `office.waiting()` lists the user codes asked for; `office.approve(code, "nurse.one@contoso.example")`
or `office.decline(code)` answers one. `office.clock` may be replaced: a function that returns seconds since 1970.

`with office.workload() as place:` serves, on plain http loopback, what runners and hosts offer:
`place.app_service()`, `place.virtual_machine()`, `place.github()`, `place.azure_pipelines()` return the environment
variables to set, and `place.kubernetes(path)` writes a token file and returns its variables.

Mind that `requests` lets REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE win over `Session.verify`; only `verify=` of each
request, or `trust_env = False`, wins over them. MSAL's own session is one of the former.
"""

from .certificates import ClientCertificate, make_certificate
from .directory import Application, Directory, DirectoryError, Federated, Person, Secret
from .fixture import (
    GITHUB_SUBJECT,
    KUBERNETES_SUBJECT,
    PERSONAL,
    PIPELINE,
    PIPELINE_SECRET,
    PIPELINES_SUBJECT,
    SAMPLE,
    SERVICE_CONNECTION,
    STRANGER,
    TENANT,
    clinic,
)
from .office import Entra, attach, serve
from .workload import Workload

__all__ = [
    "GITHUB_SUBJECT",
    "KUBERNETES_SUBJECT",
    "PERSONAL",
    "PIPELINE",
    "PIPELINES_SUBJECT",
    "PIPELINE_SECRET",
    "SAMPLE",
    "SERVICE_CONNECTION",
    "STRANGER",
    "TENANT",
    "Application",
    "ClientCertificate",
    "Directory",
    "DirectoryError",
    "Entra",
    "Federated",
    "Person",
    "Secret",
    "Workload",
    "attach",
    "clinic",
    "make_certificate",
    "serve",
]
