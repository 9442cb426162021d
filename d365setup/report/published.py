"""The published JSON Schemas (draft 2020-12) of the documents, kept beside this module."""

from __future__ import annotations

from importlib.resources import files

SCHEMAS = (
    "plan",
    "run",
    "verification",
    "validation",
    "simulation",
    "audit",
    "doctor",
    "error",
    "page",
    "pages",
    "history",
    "recorded-run",
    "snapshot",
    "evidence",
    "evidence-check",
    "healthbot-push",
    "checklist",
    "comparison",
    "export",
    "fleet-run",
)


def schema(name: str) -> str:
    """The text of one schema; raises KeyError for a name that has none."""
    if name not in SCHEMAS:
        raise KeyError(name)
    return files("d365setup.report").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
