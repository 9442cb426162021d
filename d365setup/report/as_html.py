"""Documents as one HTML page that needs no network: its style and script are in it, and nothing else may be loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from d365setup.audit.findings import Audit
from d365setup.fleet.results import FleetRun
from d365setup.healthbot.handwork import Checklist
from d365setup.model import Plan
from d365setup.outcome import Run
from d365setup.report.diagram.wording import counted
from d365setup.report.documents import Document, Simulated, Verification
from d365setup.report.html.auditing import audit_view
from d365setup.report.html.changing import changes_view
from d365setup.report.html.fleeting import fleet_view
from d365setup.report.html.handing import checklist_view
from d365setup.report.html.plainly import plain_view
from d365setup.report.html.simulating import simulation_view
from d365setup.report.html.web import link
from d365setup.report.redaction import Mask
from d365setup.report.shortened import shortened
from d365setup.report.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

Show = Callable[[Any], str]


def html(document: Document, *, mask: Mask | None = None) -> str:
    """The page. ``mask`` takes people out; what would hide or steer is written out (`visible`)."""

    def show(value: Any) -> str:
        said = str(value)
        return visible(mask.text(said) if mask else said)

    name, view = _view(document, show)
    style, script = _file("page.css"), _file("page.js")
    template = _environment().get_template(name)
    return template.render(view=view, show=show, **_ours(style, script))


def _view(document: Document, show: Show) -> tuple[str, Any]:
    """The template for a document and what it needs."""
    match document:
        case Audit():
            return "audit.html", audit_view(document, show)
        case Plan() | Run() | Verification():
            return "changes.html", changes_view(document, show)
        case Simulated():
            return "simulation.html", simulation_view(document, show)
        case Checklist():
            return "checklist.html", checklist_view(document)
        case FleetRun():
            return "fleet.html", fleet_view(document)
    return "plain.html", plain_view(document)


@cache
def _environment() -> Environment:
    """Every expression of a template is put out through ``show``; only markup of ours stays as it is."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context  # noqa: PLC0415  # only pages need it

    @pass_context
    def output(context: Context, value: Any) -> Any:
        return value if hasattr(value, "__html__") else context["show"](value)

    @pass_context
    def cut(context: Context, value: Any, most: int) -> str:
        return shortened(context["show"](value), most)

    environment = Environment(
        loader=PackageLoader("d365setup.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=output,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["web_address"] = lambda address: bool(link(address))
    environment.filters["cut"] = cut
    environment.filters["shown"] = pass_context(lambda context, value: context["show"](value))
    environment.filters["counted"] = counted
    environment.filters["capitalised"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _ours(style: str, script: str) -> dict[str, Any]:
    """What no mask may touch and nothing from outside gets into."""
    from markupsafe import Markup  # noqa: PLC0415  # comes with jinja2

    parts = {"style": style, "script": script, "policy": _policy(style, script)}
    return {name: Markup(text) for name, text in parts.items()}  # noqa: S704  # two files of this package, and hashes


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, sent or framed; only this very style and script count."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _file(name: str) -> str:
    return files("d365setup.report").joinpath("html", name).read_text(encoding="utf-8").replace("\r\n", "\n")
