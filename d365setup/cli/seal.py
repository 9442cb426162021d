"""Making evidence of what a call took in, saw and did: loaded where `--evidence` asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from d365setup import __version__, report
from d365setup.audit.findings import Audit
from d365setup.cli.notebook import Notebook, Seal
from d365setup.dataverse.address import Address
from d365setup.evidence.chain import sealed
from d365setup.evidence.files import LARGEST_KEY, Place, read
from d365setup.evidence.records import Case, Exchanged, Previous, records
from d365setup.model import Environment, Plan
from d365setup.outcome import Run
from d365setup.report import Verification
from d365setup.report.as_json import data

if TYPE_CHECKING:
    from d365setup.evidence.signing import Signer

KEY_PASSWORD = "D365_EVIDENCE_KEY_PASSWORD"  # noqa: S105  # the name of a variable, not a password


def seal_of(evidence: Path, after: Path | None, sign_key: Path | None, notebook: Notebook) -> Seal:
    """What seals when the call ends. Raises UsageError and Refused, before anything is done, where nothing could."""
    place = Place(evidence, after)
    signer = _signer(sign_key)
    place.check()
    context, started = click.get_current_context(), _now()

    def seal(document: report.Document, mask: report.Mask | None) -> None:
        case = _case(document, notebook, mask, (context.command.name or "", _options(context), started))

        def made(previous: Previous | None) -> bytes:
            return sealed(records(case, previous, signer.fingerprint if signer else ""))

        place.seal(case.command, started, made, signer.sign if signer else None)

    return seal


def _signer(key: Path | None) -> Signer | None:
    if key is None:
        return None
    from d365setup.evidence.signing import signer  # noqa: PLC0415  # it loads cryptography, and few sign

    return signer(read(key, LARGEST_KEY), os.environ.get(KEY_PASSWORD, ""), str(key))


def _case(
    document: report.Document, notebook: Notebook, mask: report.Mask | None, call: tuple[str, Mapping[str, Any], str]
) -> Case:
    command, options, started = call
    masked: Callable[[Any], Any] = mask.data if mask else lambda value: value
    where = notebook.environment or _environment(document) or Environment("", "")
    exchanges = [each for client in notebook.clients for each in client.exchanges]
    return Case(
        version=__version__,
        command=command,
        options=masked(options),
        started=started,
        ended=_now(),
        exit_code=document.exit_code,
        documents=tuple((role, masked(each)) for role, each in _documents(document, notebook).items()),
        inputs=tuple(notebook.inputs),
        sign_in=notebook.sign_in,
        application=notebook.application,
        user_id=where.user_id or notebook.user_id,
        url=where.url,
        organization_id=where.organization_id,
        organization=where.name,
        exchanged=tuple(Exchanged(**vars(each)) for each in exchanges),
        sent=sum(client.stats.requests for client in notebook.clients),
        redacted=mask is not None,
    )


def _documents(document: report.Document, notebook: Notebook) -> dict[str, Mapping[str, Any]]:
    """The result, and what was shown before it, unless the result holds that too."""
    has_plan = isinstance(document, Plan | Run | Verification)
    beside = (data(each) for each in notebook.beside if not (has_plan and isinstance(each, Plan)))
    found = {f"earlier {each['schema'].split('/')[1]}": each for each in beside}
    return {**found, "result": data(document)}


def _environment(document: report.Document) -> Environment | None:
    match document:
        case Plan():
            return document.environment
        case Run() | Verification():
            return document.plan.environment
        case Audit():
            center = document.center
            return Environment(center.url, center.organization_id, center.organization)
    return None


def _options(context: click.Context) -> dict[str, Any]:
    """What the command line said. Of variables only the names: a value may be a secret."""
    told = {}
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            told[parameter.opts[0]] = _shown(name, context.params[name])
    return told


def _shown(name: str, value: Any) -> Any:
    if name == "var":
        return [each.partition("=")[0] for each in value]
    if name == "url":
        return _origin(value)
    if isinstance(value, list | tuple):
        return [_shown("", each) for each in value]
    return value if isinstance(value, bool | int | float) else str(value)


def _origin(url: str) -> str:
    """An address without what somebody may have put into it beside the host."""
    try:
        return Address.parse(url).origin
    except ValueError:
        return "(no address)"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
