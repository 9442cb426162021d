"""Signing in from environment variables: which way is taken, in a fixed order, and why the others are not.

What is named for d365setup (`D365_…`) wins over what is named for any Azure tool (`AZURE_…`), which wins over what the
place we run in offers. `docs/sign-in.md` tells the same order to people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from d365setup.dataverse.auth import ClientSecret, Directory, StaticToken, TokenSource
from d365setup.dataverse.auth.cache import default_folder
from d365setup.errors import UsageError
from d365setup.report.visible import visible

TOKEN = "D365_ACCESS_TOKEN"  # noqa: S105  # the name of a variable, not a token
TENANT = ("D365_TENANT_ID", "AZURE_TENANT_ID")  # the second is the name azure-identity uses, here and below
CLIENT = ("D365_CLIENT_ID", "AZURE_CLIENT_ID")
AUTHORITY = ("D365_AUTHORITY", "AZURE_AUTHORITY_HOST")
PASSWORD = ("D365_CERTIFICATE_PASSWORD", "AZURE_CLIENT_CERTIFICATE_PASSWORD")
CONNECTION = ("D365_SERVICE_CONNECTION_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
PIPELINES = ("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN")
CA_BUNDLE = "D365_CA_BUNDLE"
SECRETS = frozenset(
    {
        TOKEN,
        "D365_CLIENT_SECRET",
        "AZURE_CLIENT_SECRET",
        *PASSWORD,
        "D365_EVIDENCE_KEY_PASSWORD",
        "D365_HEALTHBOT_SECRET",
        GITHUB[1],
        PIPELINES[1],
        "IDENTITY_HEADER",
        "MSI_SECRET",
    }
)
"""Variables no playbook may read."""

_WAYS = (
    f"set {TOKEN}, or D365_CLIENT_ID and D365_CLIENT_SECRET, or sign in yourself with --device-code, "
    "in the environment or in .env (see .env.example; docs/sign-in.md tells every way)"
)


@dataclass(frozen=True)
class Call:
    """What a sign-in is made from: the variables, the environment's address, the options of the call."""

    variables: Mapping[str, str]
    url: str
    ca_bundle: Path | None = None
    device_code: bool = False
    tell: Callable[[str], None] = lambda text: click.echo(visible(text), err=True)

    def first(self, *names: str) -> str:
        """The first of them that has a value, stripped; "" when none has."""
        return next(filter(None, (self.variables.get(name, "").strip() for name in names)), "")

    def client_id(self) -> str:
        """Raises UsageError where none is given."""
        return self.first(*CLIENT) or _lacking(CLIENT[0], self.variables)

    def directory(self) -> Directory:
        """Where to sign in; what is not given is learnt later."""
        return Directory(self.url, self.first(*TENANT), self.first(*AUTHORITY), ca_bundle=self.ca_bundle)


@dataclass(frozen=True)
class Way:
    """One way to sign in. It is taken when each variable of `needs` has a value (or the option is given)."""

    title: str
    needs: tuple[str, ...]
    make: Callable[[Call], TokenSource]
    option: bool = False


@dataclass(frozen=True)
class Choice:
    """The way taken and its token source; `others` tells of each other way why it was not taken."""

    title: str
    because: str
    source: TokenSource
    others: tuple[tuple[str, str], ...]
    where: str = ""
    application: str = ""  # the client id that signs in; "" where the way has none


def chosen(call: Call) -> Choice:
    """Who signs in. Raises UsageError where no way is open, or the one taken lacks something."""
    taken = next((way for way in WAYS if _open(way, call)), None)
    if taken is None:
        raise UsageError(_nothing(call.variables))
    try:
        source = taken.make(call)
    except ValueError as error:
        raise UsageError(f"sign-in with {taken.title}: {error}; {_WAYS}") from None
    others = tuple((way.title, _why_not(way, call, taken)) for way in WAYS if way is not taken)
    directory = getattr(source, "directory", None)
    where = directory.shown if isinstance(directory, Directory) else ""
    application = str(getattr(source, "client_id", ""))
    return Choice(taken.title, _because(taken), source, others, where, application)


def tokens(variables: Mapping[str, str], url: str) -> TokenSource:
    """The token source alone; raises as `chosen` does."""
    return chosen(Call(variables, url)).source


def _open(way: Way, call: Call) -> bool:
    if way.option:
        return call.device_code
    return all(call.first(name) for name in way.needs)


def _because(way: Way) -> str:
    if way.option:
        return "--device-code is given"
    return f"{' and '.join(way.needs)} {'is' if len(way.needs) == 1 else 'are'} set"


def _why_not(way: Way, call: Call, taken: Way) -> str:
    if _open(way, call):
        return f"{_because(way)}, but {taken.title} comes first"
    if way.option:
        return "--device-code is not given"
    lacking = [name for name in way.needs if not call.first(name)]
    return "; ".join(f"{name} is {'set, but empty' if name in call.variables else 'not set'}" for name in lacking)


def _nothing(variables: Mapping[str, str]) -> str:
    """One that is there and empty is most likely a secret the pipeline did not get."""
    empty = [name for way in WAYS for name in way.needs if name in variables and not variables[name].strip()]
    told = f"{empty[0]} is set, but empty" if empty else "no way to sign in is set"
    return f"sign-in: {told}; {_WAYS}"


def _lacking(name: str, variables: Mapping[str, str]) -> str:
    told = "set, but empty" if name in variables else "not set"
    raise UsageError(f"sign-in: {name} is {told}; {_WAYS}")


def _certificate(path: str) -> Callable[[Call], TokenSource]:
    def make(call: Call) -> TokenSource:
        from d365setup.dataverse.auth.certificate import ClientCertificate, load  # noqa: PLC0415  # if it is taken

        client_id = call.client_id()
        # A password keeps the blanks it may hold.
        password = next(filter(None, (call.variables.get(name, "") for name in PASSWORD)), "")
        return ClientCertificate(call.directory(), client_id, load(Path(call.first(path)), password))

    return make


def _secret(name: str) -> Callable[[Call], TokenSource]:
    return lambda call: ClientSecret(call.directory(), call.client_id(), call.first(name))


def _file(name: str) -> Callable[[Call], TokenSource]:
    def make(call: Call) -> TokenSource:
        from d365setup.dataverse.auth.federation import Federated, TokenFile  # noqa: PLC0415  # if it is taken

        return Federated(call.directory(), call.client_id(), TokenFile(Path(call.first(name))))

    return make


def _github(call: Call) -> TokenSource:
    from d365setup.dataverse.auth.federation import Federated, GitHubActions  # noqa: PLC0415  # if it is taken

    url, token = (call.first(name) for name in GITHUB)
    assertion = GitHubActions(url, token, ca_bundle=call.ca_bundle)
    return Federated(call.directory(), call.client_id(), assertion)


def _pipelines(connection: str) -> Callable[[Call], TokenSource]:
    def make(call: Call) -> TokenSource:
        from d365setup.dataverse.auth.federation import AzurePipelines, Federated  # noqa: PLC0415  # if it is taken

        url, token = (call.first(name) for name in PIPELINES)
        assertion = AzurePipelines(url, token, call.first(connection), ca_bundle=call.ca_bundle)
        return Federated(call.directory(), call.client_id(), assertion)

    return make


def _managed(call: Call) -> TokenSource:
    from d365setup.dataverse.auth.managed import ManagedIdentity  # noqa: PLC0415  # if it is taken

    return ManagedIdentity(call.first("D365_MANAGED_IDENTITY"), call.url)


def _device(call: Call) -> TokenSource:
    from d365setup.dataverse.auth.device import SAMPLE_CLIENT, DeviceCode  # noqa: PLC0415  # if it is taken

    client_id = call.first("D365_CLIENT_ID") or SAMPLE_CLIENT
    return DeviceCode(call.directory(), client_id, call.tell, cache=default_folder())


def _static(call: Call) -> TokenSource:
    return StaticToken(call.first(TOKEN))


def _ways() -> Iterator[Way]:
    yield Way("a device code (--device-code)", (), _device, option=True)
    yield Way("an access token", (TOKEN,), _static)
    yield Way("a client secret", ("D365_CLIENT_SECRET",), _secret("D365_CLIENT_SECRET"))
    yield Way("a certificate", ("D365_CERTIFICATE_PATH",), _certificate("D365_CERTIFICATE_PATH"))
    yield Way("a federated token file", ("D365_FEDERATED_TOKEN_FILE",), _file("D365_FEDERATED_TOKEN_FILE"))
    yield Way("a managed identity", ("D365_MANAGED_IDENTITY",), _managed)
    yield Way("a device code", ("D365_DEVICE_CODE",), _device)
    yield Way("a client secret (AZURE_)", ("AZURE_CLIENT_SECRET",), _secret("AZURE_CLIENT_SECRET"))
    path = "AZURE_CLIENT_CERTIFICATE_PATH"
    yield Way("a certificate (AZURE_)", (path,), _certificate(path))
    file = "AZURE_FEDERATED_TOKEN_FILE"
    yield Way("a federated token file (AZURE_)", (file,), _file(file))
    yield Way("GitHub Actions", GITHUB, _github)
    for name in CONNECTION:
        title = "Azure Pipelines" + (" (of an Azure task)" if name == CONNECTION[1] else "")
        yield Way(title, (*PIPELINES, name), _pipelines(name))


WAYS = tuple(_ways())
